"""The demo: a year of real sell-out as the program "Harbour Foods". See docs/demo.md.

source      what the data package holds: baskets of one manufacturer, and what was left out
names       shops, sales areas and distributors, made from the ids of stores
catalog     the program: metrics, rules, tiers, missions, badges, boards
progress    what the program remembers of its load
loading     the load itself, which a second start completes
summary     the closing table
live        baskets replayed through a running API
"""
