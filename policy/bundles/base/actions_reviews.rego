# Who decides on an action that is asked about, how many of them, and by when.
#
# The approvers are those of the first entry of `reviews.rules` whose rule is among the questions;
# where none names any, the usual ones. The quorum is the largest that any of the questions has.
package unsprawl.actions

usual := settings.reviews.usual

constraints := {
	"approvers": approvers,
	"quorum": max(array.concat([usual.quorum], [
	quorum |
		some entry in reviews_asked
		quorum := object.get(entry, "quorum", 1)
	])),
	"expires_seconds": usual.expires_seconds,
	"escalate_seconds": usual.escalate_seconds,
	"escalate_to": audience(usual.escalate_to),
	"checks": sort(checks),
	"receipt_level": object.get(settings.receipt_levels, input.action.effect, settings.receipt_levels.usual),
}

reviews_asked := [entry |
	some entry in settings.reviews.rules
	entry.rule in questions
]

# Nobody to ask is nobody who could say yes: then the usual approvers are asked.
approvers := named[0] if {
	count(named) > 0
} else := audience(usual.approvers)

named := [people |
	some entry in reviews_asked
	people := audience(object.get(entry, "approvers", []))
	count(people) > 0
]

# `team` stands for the agent's own team, and for nobody where it has none.
audience(people) := array.concat([one | some one in people; one != "team"], [team |
	"team" in people
	input.agent.team != ""
	team := concat("", ["team:", input.agent.team])
])

checks contains check if {
	some entry in settings.checks
	is_like(target, entry.operation)
	some check in entry.checks
}
