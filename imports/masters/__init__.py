"""Partners, products and opening balances from files: what a row says of one of them is stated anew, or posted once.

mapping     how the columns of such a file are read, from TOML or by their own names
reading     a row of cells as what it says of one partner, product or balance, or as a refusal
sorting     which rows of a chunk are new, and which repeat or contradict another one of the file
stating     partners and products: what stands, what a row makes of it, and what is written
waiting     partners whose parent stands further down in the file
balances    opening balances, into the ledger
work        a file, chunk by chunk, each in one transaction with its account

Rows go through the services as the API's do. Chunks hold up to 1,000 rows; nothing depends on where one ends: what
the file says of a code counts once, and a row that says something else of it is refused.
"""
