"""The built-in demo: the real daemon and models on a scene made at run time, with simulated outputs."""
