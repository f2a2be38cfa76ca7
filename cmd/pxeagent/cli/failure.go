package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Failure is an error as main ends on it: with its code, and what a person can do about it.
// With no Err it prints nothing: the command has said all there is.
type Failure struct {
	Code  Code
	Err   error
	Hints []string // each an imperative or a statement of fact, on one line
}

func (f Failure) Error() string {
	if f.Err == nil {
		return f.Code.Name
	}
	return f.Err.Error()
}

func (f Failure) Unwrap() error { return f.Err }

// Exit ends the program with code and no further word.
func Exit(code Code) error {
	if code == Done {
		return nil
	}
	return Failure{Code: code}
}

// Usagef is a mistake in the command line.
func Usagef(hint, format string, args ...any) error {
	return Failure{Code: Usage, Err: fmt.Errorf(format, args...), Hints: []string{hint}}
}

// Rule is how an error is explained. The first that fits has the code.
type Rule struct {
	Is    func(error) bool
	Code  Code
	Hints func(error) []string // nil: none
	// Ending: it says how a run ended and not what caused that. A cause adds its hints, not its code.
	Ending bool
}

// On is a rule for a sentinel, with hints that need nothing from the error.
func On(sentinel error, code Code, hints ...string) Rule {
	return Rule{Is: IsError(sentinel), Code: code, Hints: func(error) []string { return hints }}
}

// Ending is On, for how a run ended.
func Ending(sentinel error, code Code, hints ...string) Rule {
	r := On(sentinel, code, hints...)
	r.Ending = true
	return r
}

// IsError fits an error that wraps one of the sentinels.
func IsError(sentinels ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(sentinels, func(s error) bool { return errors.Is(err, s) })
	}
}

// Explain finds the code and the hints for any error. A Failure anywhere in err's chain has its own.
func Explain(err error, rules []Rule) Failure {
	var f Failure
	if errors.As(err, &f) {
		if f.Err != nil {
			f.Err = err
		}
		return f
	}
	f = Failure{Code: Unexpected, Err: err}
	explained := false
	for _, r := range rules {
		if !r.Is(err) {
			continue
		}
		if !explained {
			f.Code, explained = r.Code, true
		}
		if r.Hints != nil {
			f.Hints = append(f.Hints, r.Hints(err)...)
		}
		if !r.Ending {
			break
		}
	}
	return f
}

// Print writes f for a person: `pxeagent: no connection to fw.lan [unreachable]`. The lines of a long error
// follow the first, which has the code.
func (f Failure) Print(w io.Writer) {
	if f.Err == nil {
		return
	}
	first, more, many := strings.Cut(f.Err.Error(), "\n")
	fmt.Fprintf(w, "pxeagent: %s [%s]\n", first, f.Code)
	if many {
		fmt.Fprintln(w, more)
	}
	for _, h := range f.Hints {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
}

// FailureJSON is a Failure where a command was asked for --json.
type FailureJSON struct {
	Exit     int      `json:"exit"`
	Code     Code     `json:"code"`
	Message  string   `json:"message"`
	Hints    []string `json:"hints,omitempty"`
	Mistakes any      `json:"mistakes,omitempty"` // of an error that has several, such as a wrong configuration
}

// WriteJSON writes f as {"error": {…}}.
func (f Failure) WriteJSON(w io.Writer) error {
	if f.Err == nil {
		return nil
	}
	return WriteJSON(w, map[string]any{"error": f.JSON()})
}

// JSON is f as programs read it.
func (f Failure) JSON() FailureJSON {
	e := FailureJSON{Exit: f.Code.Exit, Code: f.Code, Message: f.Error(), Hints: f.Hints}
	var several interface {
		error
		Mistakes() any
	}
	if errors.As(f.Err, &several) {
		e.Mistakes = several.Mistakes()
	}
	return e
}

// WriteJSON writes v for programs, indented.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
