package secureboot

import "testing"

// What is said of a program names the machines that refuse it.
func TestRefusals(t *testing.T) {
	by := func(all ...Authority) (p Program) {
		for _, a := range all {
			p.Signatures = append(p.Signatures, Signature{Signer: "a signer", Authority: "Some CA", By: a})
		}
		return p
	}
	broken := by(Microsoft2011)
	broken.Signatures[0].Fault = "the program was changed after it was signed"
	shim := by(Microsoft2011, Microsoft2023)
	shim.SBAT = []Component{{"sbat", 1, "SBAT Version"}, {"shim", 4, "UEFI shim"}}
	for want, p := range map[string]Program{
		"unsigned: machines with Secure Boot on refuse it":                                             by(),
		"signed by Microsoft's CA of 2011: newer machines that have only the one of 2023 refuse it":    by(Microsoft2011),
		"signed by Microsoft's CA of 2023: machines whose firmware has only the one of 2011 refuse it": by(Microsoft2023),
		"signed by Some CA: firmware refuses it, and that distribution's shim runs it":                 by(Distribution),
		"signed by Some CA: only machines that have this certificate run it under Secure Boot":         by(Other),
		`the signature of "a signer" is invalid (the program was changed after it was signed): machines with Secure Boot on ` +
			`refuse it`: broken,
		"signed by Microsoft's CAs of 2011 and 2023; shim of generation 4 (SBAT), which firmware that has revoked it " +
			"refuses": shim,
	} {
		if got := p.Refusals(); got != want {
			t.Errorf("said is %q, want %q", got, want)
		}
	}
}
