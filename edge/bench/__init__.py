"""How fast the daemon is on this device: `maskgate bench`. On a workstation `python -m edge.bench` adds plots."""
