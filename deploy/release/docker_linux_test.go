package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pxeagent/deploy/lab"
)

// engine is a Docker of the test's own, whose host network is that of a host of the lab.
type engine struct{ dir string }

// newEngine starts Docker's daemon on a host until the end of the test. What it mounts, nobody else sees.
func newEngine(t *testing.T, host *lab.Host) *engine {
	t.Helper()
	lab.Need(t, "dockerd", "docker", "containerd", "runc", "iptables", "unshare")
	e := &engine{t.TempDir()}
	if err := os.WriteFile(e.path("daemon.json"), []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// Its key goes to /etc/docker, whatever it is told.
	const start = `mkdir -p /etc/docker && mount -t tmpfs none /etc/docker && exec dockerd "$@"`
	daemon := host.Start("unshare", "--mount", "sh", "-c", start, "dockerd", "--config-file", e.path("daemon.json"),
		"--data-root", e.path("data"), "--exec-root", e.path("exec"), "--pidfile", e.path("pid"),
		"--host", e.url(), "--storage-driver", "vfs")
	if said := daemon.WaitOutput(limit, `API listen on|failed to start daemon.*`)[0]; said != "API listen on" {
		t.Skipf("this kernel runs no Docker: %s", said) // all that it needs is there
	}
	return e
}

func (e *engine) path(name string) string { return filepath.Join(e.dir, name) }
func (e *engine) url() string             { return "unix://" + e.path("sock") }

// docker runs a command of Docker's to its end.
func (e *engine) docker(args ...string) (string, error) {
	out, err := exec.Command("docker", append([]string{"--host", e.url()}, args...)...).CombinedOutput()
	return string(out), err
}

// must is docker for a command that has to go well.
func (e *engine) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.docker(args...)
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// serving runs the image under a name until the test ends, and waits until it serves.
func (e *engine) serving(t *testing.T, name string, args ...string) *lab.Proc {
	t.Helper()
	args = append([]string{"--host", e.url(), "run", "--rm", "--name", name}, args...)
	p := lab.NewHost(t, "cli").Start("docker", args...)
	p.WaitOutput(limit, `msg=serving`)
	return p
}

// process is what /proc says of a container's program.
func (e *engine) process(t *testing.T, name string) map[string]string {
	t.Helper()
	pid := strings.TrimSpace(e.must(t, "inspect", "--format", "{{.State.Pid}}", name))
	status := map[string]string{}
	for _, line := range strings.Split(string(read(t, "/proc/"+pid+"/status")), "\n") {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.Join(strings.Fields(value), " ")
	}
	return status
}

// service is how compose.yaml runs pxeagent. What has no field here is not known to be tested, and fails.
type service struct {
	Image       string
	PullPolicy  string `yaml:"pull_policy"`
	Restart     string
	Grace       string            `yaml:"stop_grace_period"`
	NetworkMode string            `yaml:"network_mode"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	CapAdd      []string          `yaml:"cap_add"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string
}

var variableRE = regexp.MustCompile(`\$\{(\w+)(:\?[^}]*)?\}`)

// composed is the service of deploy/container/compose.yaml, with variables replaced.
func composed(t *testing.T, variables map[string]string) (s service) {
	t.Helper()
	text := variableRE.ReplaceAllStringFunc(string(read(t, "../container/compose.yaml")), func(v string) string {
		name := variableRE.FindStringSubmatch(v)[1]
		if variables[name] == "" {
			t.Errorf("compose.yaml has the variable %s", name)
		}
		return variables[name]
	})
	var file struct{ Services map[string]yaml.Node }
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	node := file.Services["pxeagent"]
	again, err := yaml.Marshal(&node)
	if err != nil {
		t.Fatal(err)
	}
	strict := yaml.NewDecoder(strings.NewReader(string(again)))
	strict.KnownFields(true)
	if err := strict.Decode(&s); err != nil {
		t.Fatalf("compose.yaml: pxeagent: %v", err)
	}
	return s
}

// run are the arguments of `docker run` that do what compose does with s. Its network is left out.
func (s service) run(t *testing.T) (args []string) {
	t.Helper()
	if s.ReadOnly {
		args = append(args, "--read-only")
	}
	for _, c := range s.CapDrop {
		args = append(args, "--cap-drop", c)
	}
	for _, c := range s.CapAdd {
		args = append(args, "--cap-add", c)
	}
	for k, v := range s.Environment {
		args = append(args, "--env", k+"="+v)
	}
	here, err := filepath.Abs("../container")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Volumes {
		if rest, relative := strings.CutPrefix(v, "./"); relative {
			v = filepath.Join(here, rest)
		}
		args = append(args, "--volume", v)
	}
	return append(args, s.Image)
}

// without is args without an option and its value.
func without(args []string, option, value string) []string {
	for i := range len(args) - 1 {
		if args[i] == option && args[i+1] == value {
			return slices.Delete(slices.Clone(args), i, i+2)
		}
	}
	panic(fmt.Sprintf("no %s %s in %q", option, value, args))
}

// inspected is a part of what Docker knows of an image.
func (e *engine) inspected(t *testing.T, image string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.must(t, "image", "inspect", image)), into); err != nil {
		t.Fatal(err)
	}
}
