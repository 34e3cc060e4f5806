"""The device for people and machines: the status page, MQTT and metrics, in a process of their own."""
