# The same rules in Rego. `data.rules[purpose][place]` are the rules of the packs that concern a place and a use:
# looked up, not searched, as a careful author would write it.
package consent

import rego.v1

valid := {"given", "renewed"}

default allow := false

# Without reasons: stops at the first rule that denies.
allow if {
	input.consent in valid
	input.status == "active"
	count(input.limits) == 0
	class_is_covered
	not denied
}

class_is_covered if not input.by_class

class_is_covered if data.places[input.residence].opens_classes

denied if {
	some rule in data.rules[input.purpose][input.residence]
	input.sensitivity >= rule.sensitivity
	concerns(rule)
	not cured(rule)
}

# With reasons.
decision := {"permit": permit, "denials": denials}

default permit := false

permit if {
	input.consent in valid
	count(denials) == 0
}

denials contains "subject.merged" if input.status == "merged"

denials contains "subject.active" if input.status == "erased"

denials contains concat("", ["limit.", kind]) if some kind in input.limits

denials contains "consent.recipient" if not class_is_covered

denials contains rule.id if {
	some rule in data.rules[input.purpose][input.residence]
	input.sensitivity >= rule.sensitivity
	concerns(rule)
	not cured(rule)
}

# Whether a rule about age speaks of the person. Unknown age is -1.
concerns(rule) if not rule.below

concerns(rule) if {
	input.age >= rule.from
	input.age < rule.below
}

concerns(rule) if {
	input.age == -1
	rule.unknown
}

# `cure` names what of a choice cures the rule; what nothing cures names nothing.
cured(rule) if input.choice[rule.cure]
