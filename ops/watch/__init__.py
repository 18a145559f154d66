"""What Mitra tells Prometheus, and whoever looks with `mitra top`.

endpoint    `/metrics` of a process, on an address of its own
page        what it answers: this process's instruments, its children's, and what the database says
readings    the gauges that are read from the database
"""
