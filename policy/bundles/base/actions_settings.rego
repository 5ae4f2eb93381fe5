# What the settings of actions must hold. Proven once, when the bundle is built, and not for every
# decision: a limit that is text, or a list that is none, would be a question that nobody is asked.
package unsprawl.actions

# A function, because the engine cannot see the variable of one `every` from within another.
are_limits(limits, names) if {
	every name in names {
		is_limit(object.get(limits, name, "missing"))
	}
}

settings_sound if {
	every list in [
		settings.stages,
		settings.ending_stages,
		settings.effects,
		settings.connections.allowed,
		settings.connections.refused,
		settings.arguments.refused,
		settings.money.effects,
		settings.money.currencies,
		settings.hours.effects,
		settings.hours.days,
		settings.recipients.effects,
		settings.recipients.arguments,
		settings.recipients.domains,
		settings.recipients.without_address,
		settings.recipients.fixed,
		settings.ask.stages,
		settings.ask.new,
		settings.ask.irreversible,
		settings.ask.delete,
		settings.ask.data_classes.classes,
		settings.ask.data_classes.effects,
		settings.ask.risk_tiers.tiers,
		settings.ask.risk_tiers.effects,
	] {
		is_text_list(list)
	}
	every minute in [settings.hours.from_minute, settings.hours.to_minute] {
		is_number(minute)
	}
	every rates in [settings.rate.ask, settings.rate.refuse] {
		are_limits(rates, ["hour", "day", "open"])
	}
	settings.recipients.outside in ["ask", "refuse"]
	is_text_list([settings.receipt_levels.usual])
	connections_sound
	values_sound
	money_sound
	reviews_sound
}

connections_sound if {
	is_object(settings.connections.data_classes)
	every classes in settings.connections.data_classes {
		is_text_list(classes)
	}
}

values_sound if {
	is_array(settings.arguments.values)
	every entry in settings.arguments.values {
		is_string(entry.operation)
		is_string(entry.argument)
		is_array(entry.allowed)
	}
}

money_sound if {
	is_object(settings.money.amounts)
	every scale in settings.money.amounts {
		is_number(scale)
		scale > 0
	}
	is_string(settings.money.usual_currency)
	is_object(settings.money.limits["*"])
	every limits in settings.money.limits {
		are_limits(limits, ["ask_above", "second_above", "refuse_above"])
	}
}

reviews_sound if {
	is_text_list(settings.reviews.usual.approvers)
	is_text_list(settings.reviews.usual.escalate_to)
	is_number(settings.reviews.usual.quorum)
	is_array(settings.reviews.rules)
	every entry in settings.reviews.rules {
		is_string(entry.rule)
		is_text_list(object.get(entry, "approvers", []))
		is_number(object.get(entry, "quorum", 1))
	}
	is_array(settings.checks)
	every entry in settings.checks {
		is_string(entry.operation)
		is_text_list(entry.checks)
	}
}
