"""`mitra top`: what all processes of an installation do, live.

source      finds the processes' pages, and reads them
snapshot    what the pages said at one instant
frame       what happened between two snapshots: pure
screen      a frame on a terminal
"""
