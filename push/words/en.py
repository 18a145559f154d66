"""English."""

from typing import Final

from loyalty.words.english import SPEECH
from push.words import Words

WORDS: Final = Words(
    locale="en",
    speech=SPEECH,
    texts={
        "points_rewarded": ("$amount for you", "You received a reward of $amount."),
        "points_rewarded_for_mission": (
            "$amount for you",
            "You received $amount for the mission “$mission”.",
        ),
        "points_added": ("$amount added", "Added to your balance: $amount. $reason"),
        "points_deducted": ("$amount deducted", "Deducted from your balance: $amount. $reason"),
        "points_reversed": ("$amount taken back", "Taken back: $amount."),
        "points_reversed_for_return": ("$amount taken back", "Taken back after a return: $amount."),
        "points_reversed_owed": (
            "$amount taken back",
            "Taken back: $amount. Of this you owe $owed; what comes in next repays it.",
        ),
        "points_reversed_for_return_owed": (
            "$amount taken back",
            "Taken back after a return: $amount. Of this you owe $owed; what comes in next repays it.",
        ),
        "points_restored": ("$amount restored", "Given back to you: $amount."),
        "points_matured": ("$amount available", "Ready to use, and no longer pending: $amount."),
        "points_repaid": (
            "$amount went to what you owed",
            "No longer pending, and went to what you owed: $amount.",
        ),
        "points_spent": ("$amount spent", "Spent: $amount. $reason"),
        "points_expired": ("$amount expired", "$amount expired on $date."),
        "points_expiring": ("Use $amount by $date", "$amount will expire on $date."),
        "mission_completed": ("Mission completed", "You completed the mission “$mission”."),
        "mission_revoked": ("Mission no longer complete", "The mission “$mission” is no longer complete."),
        "badge_awarded": ("New badge: $badge", "You earned the badge “$badge”."),
        "badge_level_awarded": ("$badge: level $level", "You reached level $level of the badge “$badge”."),
        "badge_revoked": ("Badge taken back: $badge", "The badge “$badge” is no longer yours."),
        "badge_level_revoked": (
            "$badge: level $level taken back",
            "Level $level of the badge “$badge” is no longer yours.",
        ),
        "tier_reached": ("Welcome to $tier", "Your tier is now $tier."),
        "tier_raised": ("Welcome to $tier", "You moved up from $previous to $tier."),
        "tier_lowered": ("Your tier is now $tier", "You moved down from $previous to $tier."),
        "tier_lost": ("Tier ended", "You are no longer in the tier $previous."),
    },
)
