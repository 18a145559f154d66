"""`mitra audit`: every invariant as one small object that looks, and tells what it found. It only reads.

check       what a check is, and one that is a single SQL statement
journal     activities, their keys, their numbers, what came back of them
books       entries, wallets, lots, holds
adjusting   what was given and taken by hand
earning     caps and budgets of rules
replaying   wallets, lived through again by their entries (`wallets` is the pure part)
counting    meters, counted again from the journal
watchers    completions, badges, tiers, seasons: what follows from the meters
climbing    tiers, climbed again through the journal
progress    missions and badges, decided again (`deciding` is the pure part; both go by what is read in `past`)
outbox      nothing stays untold
boards      the boards in Redis, against the database
paging      partners in pages, for what is replayed
checks      the list of all
"""
