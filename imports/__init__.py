"""Files from real systems: read in a stream, accounted for row by row, and recorded by the way that all activities go.

rows        what a file holds: a row as it stands, a row that was understood, a row that was refused
mapping     how a system's columns are to be read
toml        a document that people write, and what is wrong with it; mapping_toml reads mappings of sales
lines       bytes as numbered lines of text, zipped or not, whole or broken
files       CSV row by row, and refused rows written back
cells       a cell as text, decimal or date
columns     where the columns of a mapping stand in a file
sales_rows  cells as a line of a sale or a return, or as a refusal
sniffing    what a file looks like, and the mapping that it suggests
matching    which earlier sales a return takes back
store       imports, their progress, what they refused, and which rows were recorded before
sales       rows into documents into activities
masters     partners, products and opening balances
"""
