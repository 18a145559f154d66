"""Files from real systems: read in a stream, accounted for row by row, and recorded by the way that all activities go.

rows        what a file holds: a row as it stands, a row that was understood, a row that was refused
mapping     how a system's columns are to be read, from TOML
cells       a cell as text, decimal or date
files       CSV and CSV.gz in a stream, with line numbers
sniffing    what a file looks like, and the mapping that it suggests
matching    which earlier sales a return takes back
store       imports, their progress, what they refused, and which rows were recorded before
sales       rows into documents into activities
masters     partners, products and opening balances
"""
