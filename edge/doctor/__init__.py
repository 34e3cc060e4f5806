"""`maskgate doctor`: what is wrong with a device, and the command that mends it.

One module a part of the device, each with functions that return findings; they read the device through a `Machine` and
load the libraries they ask about only when they are called. `ward.py` calls them, in a process of their own, as any of
them may hang or crash; `command.py` knows them all and prints what they found.
"""
