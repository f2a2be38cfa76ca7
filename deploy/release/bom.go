package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

const bomTool = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// bom writes what a program was made from: each module, its checksum and its licence, in CycloneDX's JSON. It fails
// where a licence is none that may go into the program.
func (r *release) bom(ctx context.Context, binary, to string) error {
	err := r.goTool(ctx, nil, "run", bomTool, "bin", "-json", "-noserial", "-notimestamp", "-licenses",
		"-version", r.version, "-output", to, binary)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	return checkLicences(b)
}

// licences checks the licences of all modules that the program may be made from, on any platform, and compiles nothing.
func (r *release) licences(ctx context.Context) error {
	work, err := os.MkdirTemp("", "pxeagent-licences-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	list := filepath.Join(work, "modules.json")
	if err := r.goTool(ctx, nil, "run", bomTool, "mod", "-json", "-licenses", "-output", list, "."); err != nil {
		return err
	}
	b, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	return checkLicences(b)
}

// allowed are the licences whose terms LICENSE and NOTICE keep, by SPDX's names. The Go project's own is BSD-3-Clause,
// which the tool takes for BSD-Source-Code.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-Source-Code", "ISC", "MIT"}

// component is a module in a list of CycloneDX, with the licences that were found in it.
type component struct {
	Name     string `json:"name"`
	Evidence struct {
		Licenses []struct {
			License struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			} `json:"license"`
		} `json:"licenses"`
	} `json:"evidence"`
}

// checkLicences names each module of a list that has no licence, or one that is not allowed.
func checkLicences(bom []byte) error {
	var list struct {
		Components []component `json:"components"`
	}
	if err := json.Unmarshal(bom, &list); err != nil {
		return fmt.Errorf("the list of modules: %w", err)
	}
	if len(list.Components) == 0 {
		return errors.New("the list of modules is empty")
	}
	var wrong []error
	for _, c := range list.Components {
		if len(c.Evidence.Licenses) == 0 {
			wrong = append(wrong, fmt.Errorf("%s: no licence was found", c.Name))
		}
		for _, l := range c.Evidence.Licenses {
			if !slices.Contains(allowed, l.License.ID) {
				wrong = append(wrong, fmt.Errorf("%s: licence %q is not allowed", c.Name, l.License.ID+l.License.Name))
			}
		}
	}
	return errors.Join(wrong...)
}
