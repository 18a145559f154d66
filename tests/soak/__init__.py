"""A soak: a real installation under load, broken again and again at random, and looked over at the end.

python -m tests.soak --seconds 900 --seed 1

site      servers and processes, and how they are broken
clients   who records, and repeats what got no answer
faults    what is done to it
verify    what must hold in the end
"""
