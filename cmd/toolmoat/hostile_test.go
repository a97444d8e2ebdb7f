//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// memoryLimit is what no input may make the command take. It is far above what any of these do.
const memoryLimit = 1 << 30

// server is a server in a file of its own, which must be found whatever stands beside it.
const server = `apiVersion: v1
kind: Pod
metadata: {name: files, namespace: tools, annotations: {toolmoat.dev/server: "true"}}
spec: {containers: [{name: server, image: example.com/files}]}
`

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	return b.String()
}

func TestHostileFiles(t *testing.T) {
	const many = 100_000
	for _, tt := range []struct {
		name, file, text string
		code             int
		heavy            bool
	}{
		{name: "alias bomb", text: bomb(), code: exitBroken},
		{name: "alias of what is around it", text: "a: &a [*a]\n", code: exitBroken},
		{name: "nested flow", text: "a: " + strings.Repeat("[", many), code: exitBroken},
		{name: "nested flow, closed", text: "a: " + strings.Repeat("[", many) + strings.Repeat("]", many), code: exitBroken},
		{name: "nested maps in flow", text: strings.Repeat("{a: ", many), code: exitBroken},
		{name: "nested block", text: strings.Repeat("- ", many) + "a\n", code: exitBroken, heavy: true},
		{name: "nested keys", text: strings.Repeat("? ", many) + "a\n", code: exitBroken, heavy: true},
		{name: "nested JSON", file: "x.json", text: strings.Repeat(`{"a":`, many) + "1" + strings.Repeat("}", many), code: exitBroken},
		{name: "nested JSON lists", file: "x.json", text: strings.Repeat("[", many), code: exitBroken},
		{name: "long plain line", text: "kind: " + strings.Repeat("x", 20<<20) + "\n", code: exitFails, heavy: true},
		{name: "long JSON line", file: "x.json", text: `{"kind":"` + strings.Repeat("x", 20<<20) + `"}`, code: exitFails, heavy: true},
		{name: "long comment", text: "#" + strings.Repeat("x", 20<<20) + "\n", code: exitFails, heavy: true},
		{name: "long name", text: "apiVersion: v1\nkind: Pod\nmetadata: {name: " + strings.Repeat("x", many) + "}\n", code: exitBroken},
		{name: "NUL", text: "apiVersion: v1\nkind: \x00Pod\n", code: exitBroken},
		{name: "NUL only", text: strings.Repeat("\x00", 1<<16), code: exitBroken},
		{name: "no UTF-8", text: "kind: \xff\xfe\n", code: exitBroken},
		{name: "UTF-16", text: "\xff\xfek\x00i\x00n\x00d\x00:\x00", code: exitBroken},
		{name: "documents", text: strings.Repeat("---\na: 1\n", many), code: exitFails, heavy: true},
		{name: "empty documents", text: strings.Repeat("---\n", many), code: exitFails},
		{name: "broken documents", text: strings.Repeat("---\n: [\n", many), code: exitBroken, heavy: true},
		{name: "invalid policies", code: exitBroken, heavy: true,
			text: strings.Repeat("---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {ingres: []}}\n", many/4)},
		{name: "JSON values", file: "x.json", text: strings.Repeat("{}\n", many), code: exitFails},
		{name: "empty", text: "", code: exitFails},
		{name: "byte order mark only", text: "\ufeff", code: exitFails},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.heavy && testing.Short() {
				t.Skip("heavy")
			}
			if tt.file == "" {
				tt.file = "x.yaml"
			}
			dir := files(t, map[string]string{tt.file: tt.text, "server.yaml": server})
			formats := []string{"json", "text"}
			if tt.heavy {
				formats = formats[:1]
			}
			for _, format := range formats {
				got := toolmoat(t, dir, "", "audit", "-q", "-o", format, ".")
				got.want(t, tt.code)
				got.bounded(t, memoryLimit)
				if !strings.Contains(got.out, "server.yaml") {
					t.Errorf("the server beside it is lost:\n%.2000s", got.out)
				}
				if broken := strings.Contains(got.out, tt.file); broken != (tt.code == exitBroken) {
					t.Errorf("the file is named: %v\n%.2000s", broken, got.out)
				}
			}
			if !tt.heavy {
				toolmoat(t, dir, tt.text, "map", "--verbose", "-").bounded(t, memoryLimit)
			}
		})
	}
}

// bounded fails the test if the command took more memory than limit, or wrote more than somebody
// could want to read.
func (r result) bounded(t testing.TB, limit int64) {
	t.Helper()
	if r.memory > limit {
		t.Errorf("takes %d MiB of memory, more than %d", r.memory>>20, limit>>20)
	}
	if len(r.out)+len(r.err) > 1<<20 {
		t.Errorf("writes %d bytes", len(r.out)+len(r.err))
	}
}

// endless is an input that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "# \n"[i%3]
	}
	return len(p), nil
}

func TestEndlessInput(t *testing.T) {
	if testing.Short() {
		t.Skip("reads as much as is ever read")
	}
	cmd, errs := command(t, "", "audit", "-")
	cmd.Stdin = endless{}
	out, _ := cmd.Output()
	got := result{out: string(out), err: errs.String(), code: cmd.ProcessState.ExitCode(), memory: peak(cmd)}
	got.want(t, exitBroken)
	got.bounded(t, memoryLimit)
	if !strings.Contains(got.out, "larger than 256 MiB") {
		t.Errorf("%s", got.out)
	}
}

// broken is an input that ends in a bug of ours.
type broken struct{}

func (broken) Read([]byte) (int, error) { panic("the pipe \x1b[31m burst") }

// TestPanic demands that a panic while files are read, which is not on the goroutine of the
// command, ends it in a message and the code for a bug.
func TestPanic(t *testing.T) {
	var out, errs bytes.Buffer
	code := run([]string{"audit", "-"}, streams{in: broken{}, out: &out, err: &errs})
	got := errs.String()
	if code != exitBug || !strings.HasPrefix(got, `error: toolmoat failed, and that is our bug: the pipe \x1b[31m burst`) || !strings.Contains(got, "broken.Read") || !strings.Contains(got, "hint: please report") {
		t.Errorf("exit %d, %q\n%s", code, out.String(), got)
	}
}

// TestLongNames gives everything a name that is far too long, and expects no more than a piece of
// it.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	text := fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: mcp-%[1]s, namespace: tools, labels: {? %[1]s : a, b: %[1]s}, annotations: {toolmoat.dev/server: "true", toolmoat.dev/role: %[1]s}}
spec: {nodeName: %[1]s, containers: [{name: %[1]s, image: example.com/mcp-server, ports: [{name: %[1]s, containerPort: 80}], env: [{name: MCP_SERVER_URL_%[1]s, value: "http://a.b"}]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: %[1]s, namespace: tools}, spec: {ports: [{port: 80, name: %[1]s, targetPort: %[1]s}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: %[1]s, namespace: tools}, spec: {ingressClassName: %[1]s, defaultBackend: {service: {name: %[1]s, port: {name: %[1]s}}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %[1]s, namespace: tools}, spec: {podSelector: {}, policyTypes: [Egress]}}
---
{apiVersion: cilium.io/v2, kind: %[1]s, metadata: {name: %[1]s, namespace: %[1]s}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: %[1]s}}
`, long)
	dir := files(t, map[string]string{"a.yaml": text})
	for _, args := range [][]string{{"audit", "--verbose"}, {"audit", "-o", "json"}, {"map", "--expand", "--verbose"}, {"map", "-o", "csv"}, {"map", "-o", "json"}, {"map", "-o", "dot"}} {
		got := toolmoat(t, dir, "", append(args, "a.yaml")...)
		got.want(t, exitBroken)
		if strings.Contains(got.out+got.err, long[:200]) {
			t.Errorf("%v prints a name that is too long", args)
		}
		if !strings.Contains(got.out+got.err, "mcp-xxx") {
			t.Errorf("%v does not name the server", args)
		}
	}
}

// TestStrangeFiles walks a folder of what is no file of the folder, or no file at all. Nothing of
// what lies outside may come out, and nothing may hang.
func TestStrangeFiles(t *testing.T) {
	outside := files(t, map[string]string{
		"pod.yaml":     strings.ReplaceAll(server, "files", "elsewhere"),
		"sub/pod.yaml": strings.ReplaceAll(server, "files", "elsewhere"),
	})
	for _, tt := range []struct {
		name  string
		make  func(dir string) error
		code  int
		names string
	}{
		{"loop of directories", func(dir string) error { return os.Symlink(".", filepath.Join(dir, "loop")) }, exitFails, ""},
		{"loop to the parent", func(dir string) error {
			return firstError(os.Mkdir(filepath.Join(dir, "sub"), 0o777), os.Symlink("..", filepath.Join(dir, "sub", "up")))
		}, exitFails, ""},
		{"loop of files", func(dir string) error {
			return firstError(os.Symlink("b.yaml", filepath.Join(dir, "a.yaml")), os.Symlink("a.yaml", filepath.Join(dir, "b.yaml")))
		}, exitBroken, "a.yaml"},
		{"link to nothing", func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, "a.yaml")) }, exitBroken, "a.yaml"},
		{"link to passwd", func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "a.yaml")) }, exitBroken, "a.yaml"},
		{"link to a file outside", func(dir string) error {
			return os.Symlink(filepath.Join(outside, "pod.yaml"), filepath.Join(dir, "a.yaml"))
		}, exitBroken, "a.yaml"},
		{"link to a directory outside", func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "a")) }, exitBroken, "a"},
		{"link through a link", func(dir string) error {
			return firstError(os.Symlink(outside, filepath.Join(dir, "a")), os.Symlink("a/pod.yaml", filepath.Join(dir, "b.yaml")))
		}, exitBroken, "b.yaml"},
		{"link to a device", func(dir string) error { return os.Symlink("/dev/zero", filepath.Join(dir, "a.yaml")) }, exitBroken, "a.yaml"},
		{"chart outside", func(dir string) error {
			return os.Symlink(filepath.Join(outside, "pod.yaml"), filepath.Join(dir, "Chart.yaml"))
		}, exitBroken, "Chart.yaml"},
		{"pipe", func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "a.yaml"), 0o666) }, exitBroken, "a.yaml"},
		{"pipe as a kustomization", func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "kustomization.yaml"), 0o666) }, exitBroken, "kustomization.yaml"},
		{"pipe as a chart", func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "Chart.yaml"), 0o666) }, exitBroken, "Chart.yaml"},
		{"directory like a file", func(dir string) error { return os.Mkdir(filepath.Join(dir, "a.yaml"), 0o777) }, exitFails, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := files(t, map[string]string{"server.yaml": server})
			if err := tt.make(dir); err != nil {
				t.Skip(err)
			}
			for _, format := range []string{"text", "json"} {
				got := toolmoat(t, dir, "", "audit", "--verbose", "-o", format, ".")
				got.want(t, tt.code)
				all := got.out + got.err
				if !strings.Contains(all, "tools/files") || !strings.Contains(all, tt.names) {
					t.Errorf("the server or %q is not named:\n%s", tt.names, all)
				}
				if strings.Contains(all, "elsewhere") || strings.Contains(all, "root:") || strings.Contains(all, "/bin/") {
					t.Errorf("something came from outside:\n%s", all)
				}
			}
		})
	}
	for _, path := range []string{"pipe", "/dev/zero"} {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
			t.Skip(err)
		}
		got := toolmoat(t, dir, "", "audit", path)
		got.want(t, exitBroken)
		if !strings.HasPrefix(got.err, "error: cannot read "+path+": it is neither a file nor a directory") {
			t.Errorf("%s: %s", path, got.err)
		}
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestEscapes demands that nothing in the input writes to the terminal of who reads the output:
// neither what moves the cursor nor a line that looks like ours.
func TestEscapes(t *testing.T) {
	const evil = "x\x1b[31mred\x1b]0;title\x07\u202eesrever\u0085\x9b\nerror: FORGED\r\n\tend"
	quoted := `"x\e[31mred\e]0;title\a\u202eesrever\N\nerror: FORGED\r\n\tend"`
	pod := func(name, namespace, label, annotation, container, image, port string) string {
		return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s, labels: {app: %s}, annotations: {toolmoat.dev/server: "true", note: %s}}
spec: {containers: [{name: %s, image: %s, ports: [{name: %s, containerPort: 80}], command: [%[4]s], args: [%[4]s], env: [{name: %[4]s, value: %[4]s}]}]}
`, name, namespace, label, annotation, container, image, port)
	}
	texts := map[string]string{
		"names.yaml":        pod(quoted, "tools", "a", "a", "a", "a", "a"),
		"namespace.yaml":    pod("a", quoted, "a", "a", "a", "a", "a"),
		"label.yaml":        pod("b", "tools", quoted, "a", "a", "a", "a"),
		"annotation.yaml":   pod("c", "tools", "a", quoted, "a", "a", "a"),
		"container.yaml":    pod("d", "tools", "a", "a", quoted, quoted, "a"),
		"port.yaml":         pod("e", "tools", "a", "a", "a", "a", quoted),
		"policy.yaml":       "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: tools}, spec: {podSelector: {}, " + quoted + ": 1, policyTypes: [" + quoted + "]}}",
		"kind.yaml":         "{apiVersion: cilium.io/v2, kind: " + quoted + ", metadata: {name: " + quoted + "}}",
		"group.yaml":        "{apiVersion: " + quoted + ", kind: NetworkPolicy, metadata: {name: a}}",
		"key.yaml":          quoted + ": 1\n" + quoted + ": 2\n",
		"anchor.yaml":       "a: *x\x7f\n",
		"raw.yaml":          "a: " + evil,
		evil[:20] + ".yaml": "{",
		"server.yaml":       server,
	}
	dir := files(t, texts)
	for _, args := range [][]string{
		{"audit", "--verbose", "."}, {"audit", "-o", "json", "."}, {"map", "--verbose", "."}, {"map", "--expand", "-o", "json", "."}, {"map", "-o", "csv", "."}, {"map", "-o", "dot", "."},
		{"can", "tools/Pod/files", "8.8.8.8:53", "."}, {"can", "-o", "json", "tools/Pod/files", "8.8.8.8:53", "."}, {"can", evil, "8.8.8.8:53", "."}, {"can", "tools/Pod/files", evil, "."},
		{"audit", evil}, {"audit", "-o", evil, "."}, {"audit", "--cni", evil, "."}, {"audit", "--server", evil, "."}, {"audit", "-l", evil, "."}, {"audit", "--exclude", "[" + evil, "."},
		{"audit", "--fail-on", evil, "."}, {"audit", "--" + evil}, {evil}, {"rules", evil}, {"version", evil}, {"audit", "--out", "no/" + evil, "."},
	} {
		got := toolmoat(t, dir, "", args...)
		got.want(t, exitBroken)
		for _, out := range []string{got.out, got.err} {
			if i := strings.IndexFunc(out, func(r rune) bool {
				return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\ufffd'
			}); i >= 0 {
				t.Errorf("%q writes %q", args, out[max(0, i-60):min(len(out), i+20)])
			}
			for line := range strings.Lines(out) {
				if strings.HasPrefix(strings.TrimSpace(line), "error: FORGED") {
					t.Errorf("%q writes a line that the input made: %q", args, line)
				}
			}
		}
	}
}

// TestInterrupt demands that who presses Ctrl-C gets the prompt back, also while a pipe is read
// that does not end.
func TestInterrupt(t *testing.T) {
	cmd, _ := command(t, "", "audit", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: when it is written the command is reading.
	if _, err := io.WriteString(in, strings.Repeat("# \n", 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || slices.Contains([]int{exitOK, exitFails}, cmd.ProcessState.ExitCode()) {
		t.Errorf("exit %d, as if it had been judged", cmd.ProcessState.ExitCode())
	}
}
