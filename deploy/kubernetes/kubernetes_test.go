// Package kubernetes has the tests of the manifests here, in a module of its own: Kubernetes' API types and kustomize
// are not needed by pxeagent.
package kubernetes

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are what a folder is built to, each decoded as its kind's API type.
type manifests struct {
	deployment apps.Deployment
	service    core.Service
	claim      core.PersistentVolumeClaim
	config     core.ConfigMap
	monitor    monitoring.ServiceMonitor
	namespace  core.Namespace
}

// build builds a folder as `kubectl kustomize` does.
func build(t *testing.T, dir string) (m manifests, kinds []string) {
	t.Helper()
	return buildIn(t, filesys.MakeFsOnDisk(), dir)
}

func buildIn(t *testing.T, fs filesys.FileSystem, dir string) (m manifests, kinds []string) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		into := map[string]any{
			"Deployment": &m.deployment, "Service": &m.service, "PersistentVolumeClaim": &m.claim, "ConfigMap": &m.config,
			"ServiceMonitor": &m.monitor, "Namespace": &m.namespace,
		}[r.GetKind()]
		kinds = append(kinds, r.GetKind())
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
		}
		if r.GetName() != "pxeagent" && r.GetKind() != "Namespace" {
			t.Errorf("a %s is called %s", r.GetKind(), r.GetName())
		}
	}
	slices.Sort(kinds)
	return m, kinds
}

func TestKinds(t *testing.T) {
	for dir, want := range map[string]string{
		"base":    "ConfigMap Deployment PersistentVolumeClaim Service",
		"example": "ConfigMap Deployment Namespace PersistentVolumeClaim Service ServiceMonitor",
	} {
		if _, kinds := build(t, dir); strings.Join(kinds, " ") != want {
			t.Errorf("%s is built to %q", dir, kinds)
		}
	}
}

// The files are written as their API has them: no field is unknown, none is there twice.
func TestFilesAreStrict(t *testing.T) {
	for name, into := range map[string]any{
		"base/deployment.yaml": &apps.Deployment{}, "base/service.yaml": &core.Service{},
		"base/volume.yaml": &core.PersistentVolumeClaim{}, "example/namespace.yaml": &core.Namespace{},
		"monitoring/servicemonitor.yaml": &monitoring.ServiceMonitor{},
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := yaml.UnmarshalStrict([]byte("spec: {replica: 1}"), &apps.Deployment{}); err == nil {
		t.Error("an unknown field is not found")
	}
}

// One at a time, on the node's network, with the rights that the tests of the image found to be enough.
func TestDeployment(t *testing.T) {
	m, _ := build(t, "base")
	d := m.deployment.Spec
	pod := d.Template.Spec
	if *d.Replicas != 1 || d.Strategy.Type != apps.RecreateDeploymentStrategyType || !pod.HostNetwork ||
		pod.DNSPolicy != core.DNSClusterFirstWithHostNet || *pod.AutomountServiceAccountToken || len(pod.Containers) != 1 {
		t.Errorf("%d replicas by %s, host network %v, DNS %s", *d.Replicas, d.Strategy.Type, pod.HostNetwork, pod.DNSPolicy)
	}
	if !matches(t, d.Selector, d.Template.Labels) {
		t.Errorf("the deployment selects %v, its pods have %v", d.Selector, d.Template.Labels)
	}
	c := pod.Containers[0]
	ctx := c.SecurityContext
	if *pod.SecurityContext.RunAsUser != 65532 || *pod.SecurityContext.FSGroup != 65532 ||
		!*pod.SecurityContext.RunAsNonRoot || !*ctx.ReadOnlyRootFilesystem || !*ctx.AllowPrivilegeEscalation {
		t.Errorf("it runs with %+v, %+v", pod.SecurityContext, ctx)
	}
	if !slices.Equal(ctx.Capabilities.Add, []core.Capability{"NET_BIND_SERVICE", "NET_RAW"}) ||
		!slices.Equal(ctx.Capabilities.Drop, []core.Capability{"ALL"}) {
		t.Errorf("capabilities: %+v", ctx.Capabilities)
	}
	if c.Env[0].ValueFrom.FieldRef.FieldPath != "status.hostIP" {
		t.Errorf("next-server is %+v", c.Env)
	}
	ports := map[string]core.ContainerPort{}
	for _, p := range c.Ports {
		ports[p.Name] = p
	}
	if ports["tftp"].ContainerPort != 69 || ports["tftp"].Protocol != core.ProtocolUDP ||
		ports["http"].ContainerPort != 80 {
		t.Errorf("ports: %+v", c.Ports)
	}
	for path, probe := range map[string]*core.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "http" {
			t.Errorf("a probe asks %+v, want %s", probe.HTTPGet, path)
		}
	}
}

// Each volume is mounted where the image looks for it, and is of something that exists.
func TestVolumes(t *testing.T) {
	m, _ := build(t, "base")
	pod := m.deployment.Spec.Template.Spec
	volumes := map[string]core.VolumeSource{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v.VolumeSource
	}
	at := map[string]core.VolumeSource{}
	for _, v := range pod.Containers[0].VolumeMounts {
		at[v.MountPath] = volumes[v.Name]
		if v.ReadOnly != (v.MountPath != "/var/lib/pxeagent") {
			t.Errorf("%s is mounted read-only: %v", v.MountPath, v.ReadOnly)
		}
	}
	if v := at["/var/lib/pxeagent"].PersistentVolumeClaim; v == nil || v.ClaimName != m.claim.Name {
		t.Errorf("the data: %+v", v)
	}
	if v := at["/etc/pxeagent"].ConfigMap; v == nil || v.Name != m.config.Name || m.config.Data["pxeagent.yaml"] == "" {
		t.Errorf("the configuration: %+v", v)
	}
	if v := at["/run/secrets"].Secret; v == nil || v.SecretName != "pxeagent" || *v.DefaultMode != 0o440 || !*v.Optional {
		t.Errorf("secrets: %+v", v)
	}
}

// Prometheus finds the agent by its Service, in the namespace of the example.
func TestServiceMonitor(t *testing.T) {
	m, _ := build(t, "example")
	pods := m.deployment.Spec.Template
	if selector := (&meta.LabelSelector{MatchLabels: m.service.Spec.Selector}); !matches(t, selector, pods.Labels) {
		t.Errorf("the service selects %v, pods have %v", selector, pods.Labels)
	}
	if !matches(t, &m.monitor.Spec.Selector, m.service.Labels) {
		t.Errorf("the monitor selects %v, the service has %v", m.monitor.Spec.Selector, m.service.Labels)
	}
	e := m.monitor.Spec.Endpoints[0]
	if e.Port != m.service.Spec.Ports[0].Name || e.Path != "/metrics" || e.Interval != "15s" ||
		m.service.Spec.Ports[0].TargetPort.StrVal != "http" {
		t.Errorf("the monitor asks %+v of %+v", e, m.service.Spec.Ports)
	}
	if job := m.service.Labels[m.monitor.Spec.JobLabel]; job != "pxeagent" {
		t.Errorf("the job is %q", job)
	}
	for kind, namespace := range map[string]string{
		"Deployment": m.deployment.Namespace, "Service": m.service.Namespace, "ServiceMonitor": m.monitor.Namespace,
		"ConfigMap": m.config.Namespace, "PersistentVolumeClaim": m.claim.Namespace,
	} {
		if namespace != m.namespace.Name {
			t.Errorf("the %s is in the namespace %q", kind, namespace)
		}
	}
	if m.namespace.Labels["pod-security.kubernetes.io/enforce"] != "privileged" {
		t.Errorf("the namespace has %v", m.namespace.Labels)
	}
	if image := pods.Spec.Containers[0].Image; image != "registry.example.org/pxeagent:1.2.3" {
		t.Errorf("the image is %s", image)
	}
}

func matches(t *testing.T, selector *meta.LabelSelector, set map[string]string) bool {
	t.Helper()
	s, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return !s.Empty() && s.Matches(labels.Set(set))
}

// The configurations are ones that pxeagent takes.
func TestConfigurations(t *testing.T) {
	for _, dir := range []string{"base", "example"} {
		m, _ := build(t, dir)
		file := filepath.Join(t.TempDir(), "pxeagent.yaml")
		if err := os.WriteFile(file, []byte(m.config.Data["pxeagent.yaml"]), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "run", "./cmd/pxeagent", "config", "check", "--config", file)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", dir, err, out)
		}
	}
}

// The guide makes a PrometheusRule by putting lines above rules.yaml.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("../prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const above = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: pxeagent}\nspec:\n"
	guide, err := os.ReadFile("../guide/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), strings.ReplaceAll(strings.TrimSpace(above), "\n", `\n`)) {
		t.Errorf("the guide does not put these lines above:\n%s", above)
	}
	var rule monitoring.PrometheusRule
	indented := "  " + strings.ReplaceAll(string(text), "\n", "\n  ")
	if err := yaml.UnmarshalStrict([]byte(above+indented), &rule); err != nil {
		t.Fatal(err)
	}
	if len(rule.Spec.Groups) == 0 || rule.Kind != "PrometheusRule" {
		t.Errorf("%d groups of a %s", len(rule.Spec.Groups), rule.Kind)
	}
}

// The guide's patch for clusters that forbid privilege escalation fits the base.
func TestPatchForUserZero(t *testing.T) {
	guide, err := os.ReadFile("../guide/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, patch, found := strings.Cut(string(guide), "```yaml\n# in your kustomization\n")
	patch, _, ended := strings.Cut(patch, "```")
	if !found || !ended {
		t.Fatal("the guide has no patch")
	}
	fs := filesys.MakeFsInMemory()
	entries, err := os.ReadDir("base")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join("base", e.Name()))
		if err == nil {
			err = fs.WriteFile("base/"+e.Name(), content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := fs.WriteFile("site/kustomization.yaml", []byte("resources: [../base]\n"+patch)); err != nil {
		t.Fatal(err)
	}
	m, _ := buildIn(t, fs, "site")
	pod := m.deployment.Spec.Template.Spec
	if ctx := pod.SecurityContext; *ctx.RunAsUser != 0 || *ctx.RunAsNonRoot || *ctx.FSGroup != 65532 {
		t.Errorf("the pod runs with %+v", ctx)
	}
	if c := pod.Containers[0].SecurityContext; *c.AllowPrivilegeEscalation || len(c.Capabilities.Add) != 2 {
		t.Errorf("the container runs with %+v", c)
	}
}
