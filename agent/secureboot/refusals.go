package secureboot

import (
	"fmt"
	"strings"
)

// Refusals says who signed a program, for people, and which machines refuse it under Secure Boot.
func (p Program) Refusals() string {
	text := p.signedBy()
	if c, is := p.Component("shim"); is {
		text += fmt.Sprintf("; shim of generation %d (SBAT), which firmware that has revoked it refuses", c.Generation)
	}
	return text
}

func (p Program) signedBy() string {
	const refused = "machines with Secure Boot on refuse it"
	var others, faults []string
	distribution := false
	for _, s := range p.Signatures {
		switch {
		case s.Fault != "":
			faults = append(faults, fmt.Sprintf("the signature of %q is invalid (%s)", s.Signer, s.Fault))
		case s.By == Distribution:
			distribution = true
			others = append(others, s.Authority)
		case s.By == Windows, s.By == Other:
			others = append(others, s.Authority)
		}
	}
	old, today := p.By(Microsoft2011), p.By(Microsoft2023)
	switch {
	case old && today:
		return "signed by Microsoft's CAs of 2011 and 2023"
	case old:
		return "signed by Microsoft's CA of 2011: newer machines that have only the one of 2023 refuse it"
	case today:
		return "signed by Microsoft's CA of 2023: machines whose firmware has only the one of 2011 refuse it"
	case distribution:
		return fmt.Sprintf("signed by %s: firmware refuses it, and that distribution's shim runs it",
			strings.Join(others, ", "))
	case len(others) > 0:
		return fmt.Sprintf("signed by %s: only machines that have this certificate run it under Secure Boot",
			strings.Join(others, ", "))
	case len(faults) > 0:
		return strings.Join(faults, "; ") + ": " + refused
	}
	return "unsigned: " + refused
}
