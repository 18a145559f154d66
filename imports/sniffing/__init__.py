"""What a file looks like, and the mapping that it suggests. A guess, which says what it is unsure of.

form        encoding, delimiter, header: how bytes become rows
columns     what stands in a column: numbers, dates, how many differ, what is dirty
fields      which column is what, by words of five languages and by what stands in it
marks       what marks a return, and which codes are no products
restarts    whether document numbers begin again, and what tells such documents apart
checking    all of it over a file
proposal    the mapping, as commented TOML
"""
