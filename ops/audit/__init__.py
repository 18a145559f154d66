"""`mitra audit`: every invariant as one small object that looks, and tells what it found. It only reads.

check       what a check is, and one that is a single SQL statement
journal     activities, their keys, their numbers, what came back of them
books       entries, wallets, lots
counting    meters, counted again from the journal
watchers    completions, badges, tiers, seasons: what follows from the meters
outbox      nothing stays untold
boards      the boards in Redis, against the database
checks      the list of all
"""
