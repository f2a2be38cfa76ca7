package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// failure is an error as main ends on it: with the exit code, and what a person can do about it.
// With no err it prints nothing: the command has said all there is.
type failure struct {
	code  exitCode
	err   error
	hints []string // each an imperative or a statement of fact, on one line
}

func (f failure) Error() string {
	if f.err == nil {
		return f.code.String()
	}
	return f.err.Error()
}

func (f failure) Unwrap() error { return f.err }

// exitWith ends the program with code and no further word.
func exitWith(code exitCode) error {
	if code == exitDone {
		return nil
	}
	return failure{code: code}
}

// usagef is a mistake in the command line.
func usagef(hint, format string, args ...any) error {
	return failure{code: exitUsage, err: fmt.Errorf(format, args...), hints: []string{hint}}
}

// explain finds the exit code and the hints for any error. A failure anywhere in err's chain
// has its own.
func explain(err error) failure {
	var f failure
	if errors.As(err, &f) {
		if f.err != nil {
			f.err = err
		}
		return f
	}
	f = failure{code: exitUnexpected, err: err}
	explained := false
	for _, r := range rules {
		if !r.is(err) {
			continue
		}
		if !explained {
			f.code, explained = r.code, true
		}
		if r.hints != nil {
			f.hints = append(f.hints, r.hints(err)...)
		}
		if !r.ending {
			break
		}
	}
	return f
}

// print writes f for a person.
func (f failure) print(w io.Writer) {
	if f.err == nil {
		return
	}
	fmt.Fprintf(w, "pxeagent: %s\n", f.err)
	for _, h := range f.hints {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
}

// failureJSON is f where a command was asked for --json.
type failureJSON struct {
	Code     exitCode      `json:"code"`
	Name     string        `json:"name"`
	Message  string        `json:"message"`
	Hints    []string      `json:"hints,omitempty"`
	Mistakes []mistakeJSON `json:"mistakes,omitempty"`
}

type mistakeJSON struct {
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
	From string `json:"from"`
}

// printJSON writes f as {"error": {…}}.
func (f failure) printJSON(w io.Writer) error {
	if f.err == nil {
		return nil
	}
	return writeJSON(w, map[string]any{"error": f.json()})
}

func (f failure) json() failureJSON {
	e := failureJSON{Code: f.code, Name: f.code.String(), Message: f.Error(), Hints: f.hints}
	var ms mistakes
	if errors.As(f.err, &ms) {
		for _, m := range ms {
			e.Mistakes = append(e.Mistakes, mistakeJSON{m.key, m.text, m.from.String()})
		}
	}
	return e
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
