package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs beside the tests.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	log  string
}

// start starts a program; what it prints goes into a file.
func start(dir, name string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, filepath.Base(name)+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{}), log: log.Name()}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel takes the end of this thread for the death of the parent
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// stop ends the program, and returns when it has ended.
func (p *process) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(30 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not end within 30 s", filepath.Base(p.cmd.Path))
	}
}

// tail is the end of what the program printed.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-4000):])
}

// ports returns n free TCP ports on loopback.
func ports(n int) ([]int, error) {
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out, nil
}

// store is etcd, which all control planes share.
var store struct {
	sync.Mutex
	*process
	url string
}

func etcd() (url string, err error) {
	store.Lock()
	defer store.Unlock()
	if store.process != nil {
		return store.url, nil
	}
	p, err := ports(2)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(scratch, "etcd")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", p[0]), fmt.Sprintf("http://127.0.0.1:%d", p[1])
	store.process, err = start(dir, filepath.Join(bin, "etcd"), "--data-dir", filepath.Join(dir, "data"), "--listen-client-urls", client,
		"--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer,
		"--unsafe-no-fsync", "--log-level", "warn")
	store.url = client
	return client, err
}

// controlPlane is one API server, with a part of the store of its own. Nothing else runs.
type controlPlane struct {
	*process
	name, url, dir string
	api            *api // as its administrator
}

var planes struct {
	sync.Mutex
	list []*controlPlane
}

// users are those of every API server besides admin, who may do everything. They may do nothing
// until a role is bound to them.
var users = []string{"narrow", "listed"}

// newPlane starts an API server with more flags.
func newPlane(t *testing.T, name string, flags ...string) *controlPlane {
	t.Helper()
	begin := time.Now()
	p, err := startPlane(t.Context(), name, flags)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("cluster: started the control plane %s in %.1f s\n", name, time.Since(begin).Seconds())
	if !slices.Contains(flags, ownEndpoints) { // the API server writes its own a moment after it is ready
		p.api.appears(t, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
	}
	return p
}

// ownEndpoints is the flag of an API server whose endpoints the test writes.
const ownEndpoints = "--endpoint-reconciler-type=none"

func startPlane(ctx context.Context, name string, flags []string) (*controlPlane, error) {
	storeURL, err := etcd()
	if err != nil {
		return nil, err
	}
	port, err := ports(1)
	if err != nil {
		return nil, err
	}
	p := &controlPlane{name: name, url: fmt.Sprintf("https://127.0.0.1:%d", port[0]), dir: filepath.Join(scratch, name)}
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return nil, err
	}
	tokens := "admin-token,admin,admin,\"system:masters\"\n"
	for _, u := range users {
		tokens += fmt.Sprintf("%s-token,%s,%s\n", u, u, u)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "tokens.csv"), []byte(tokens), 0o600); err != nil {
		return nil, err
	}
	key := filepath.Join(p.dir, "sa.key")
	if err := writeKey(key); err != nil {
		return nil, err
	}
	args := append([]string{"--etcd-servers=" + storeURL, "--etcd-prefix=/" + name,
		fmt.Sprintf("--secure-port=%d", port[0]), "--bind-address=127.0.0.1", "--advertise-address=192.0.2.10", "--cert-dir=" + filepath.Join(p.dir, "certs"),
		"--service-account-key-file=" + key, "--service-account-signing-key-file=" + key, "--service-account-issuer=https://kubernetes.default.svc",
		"--token-auth-file=" + filepath.Join(p.dir, "tokens.csv"), "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
		"--disable-admission-plugins=ServiceAccount", "--allow-privileged=true"}, flags...)
	p.process, err = start(p.dir, filepath.Join(bin, "kube-apiserver"), args...)
	if err != nil {
		return nil, err
	}
	planes.Lock()
	planes.list = append(planes.list, p)
	planes.Unlock()
	if p.api, err = p.ready(ctx); err != nil {
		return nil, fmt.Errorf("%w\n%s\n%s", err, p.tail(), store.tail())
	}
	return p, nil
}

// ready waits until the API server says that it is.
func (p *controlPlane) ready(ctx context.Context) (*api, error) {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		select {
		case <-p.done:
			return nil, errors.New("the API server has ended")
		case <-store.done:
			return nil, errors.New("etcd has ended")
		case <-time.After(100 * time.Millisecond):
		}
		a, err := newAPI(p, "admin-token")
		if err == nil {
			var status int
			if status, _, err = a.do(ctx, "GET", "/readyz", nil); err == nil && status == 200 {
				return a, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the API server is not ready after two minutes: %v", err)
		}
	}
}

// stopAll ends the API servers, and then etcd: without it they would never end.
func stopAll() error {
	begin := time.Now()
	errs := make([]error, len(planes.list))
	var wg sync.WaitGroup
	for i, p := range planes.list {
		wg.Go(func() { errs[i] = p.stop() })
	}
	wg.Wait()
	if store.process != nil {
		errs = append(errs, store.stop())
		fmt.Printf("cluster: ended %d control planes in %.1f s\n", len(planes.list), time.Since(begin).Seconds())
	}
	return errors.Join(errs...)
}

// ca is the file of the certificate that the API server made for itself.
func (p *controlPlane) ca() string { return filepath.Join(p.dir, "certs", "apiserver.crt") }

// kubeconfig writes a kubeconfig with a context for each plane, named like it, whose user is what
// user says in YAML.
func kubeconfig(t *testing.T, user string, list ...*controlPlane) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\ncurrent-context: %s\nusers:\n- name: u\n  user: %s\nclusters:\n", list[0].name, user)
	for _, p := range list {
		fmt.Fprintf(&b, "- name: %s\n  cluster: {server: %q, certificate-authority: %q}\n", p.name, p.url, p.ca())
	}
	b.WriteString("contexts:\n")
	for _, p := range list {
		fmt.Fprintf(&b, "- name: %s\n  context: {cluster: %s, user: u}\n", p.name, p.name)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// token is a user that has one.
func token(name string) string { return fmt.Sprintf("{token: %q}", name) }
