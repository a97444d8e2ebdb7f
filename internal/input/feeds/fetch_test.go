package feeds

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// host is the name that the certificate of httptest is for. A fetcher of these tests reaches the
// test's server under it; every other name and address goes the way that it goes for a user.
const host = "example.com"

func through(srv *httptest.Server, resolver *net.Resolver) fetcher {
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return fetcher{roots: roots, timeout: 20 * time.Second, dialer: func(d *net.Dialer) dial {
		d.Resolver = resolver
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == host+":443" {
				return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
			}
			return d.DialContext(ctx, network, address)
		}
	}}
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// sample is a feed at the test's server, with a kept copy of two ranges.
func sample(t *testing.T) (Feed, string) {
	t.Helper()
	f := Feed{Name: "sample", Title: "Sample", URL: "https://" + host + "/feed", Direction: To, Source: "test", decode: tree("", false)}
	All = append(All, f)
	t.Cleanup(func() { All = All[:len(All)-1] })
	dir := t.TempDir()
	out, err := Import(Options{Dir: dir, Now: day}, f.Name, []byte(good), day)
	if err != nil || out.Err != nil {
		t.Fatal(err, out.Err)
	}
	return f, dir
}

const good = `{"api": ["140.82.112.0/20", "2a0a:a440::/29"]}`

var day = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func bytesOf(t *testing.T, f Feed, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, f.file()))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func say(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, body)
}

// dns answers every question for an IPv4 address with the next of the given ones, and knows no
// IPv6.
func dns(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for i := 0; ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12
			for end < n && buf[end] != 0 {
				end += int(buf[end]) + 1
			}
			end += 5 // the root, type and class
			msg := append([]byte{}, buf[:end]...)
			copy(msg[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
			if binary.BigEndian.Uint16(msg[end-4:]) == 1 {
				msg[7] = 1
				addr := netip.MustParseAddr(answers[min(i, len(answers)-1)]).As4()
				msg = append(msg, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				msg = append(msg, addr[:]...)
				i++
			}
			conn.WriteTo(msg, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestRefused gives answers that must not become the copy. The checks are those of a user's run:
// only the name example.com leads to the test's server.
func TestRefused(t *testing.T) {
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { say(w, text) }
	}
	typed := func(kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			io.WriteString(w, text)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"redirect to instance metadata", redirect("https://169.254.169.254/latest/meta-data/"), "169.254.169.254, which is no public address"},
		{"redirect to http", redirect("http://" + host + "/feed"), "only https is fetched"},
		{"redirect whose query is a secret", redirect("http://files.example/feed?sig=SECRET"), "redirected to http://files.example: only https is fetched"},
		{"redirect to http elsewhere", redirect("http://169.254.169.254/"), "only https is fetched"},
		{"redirect to a file", redirect("file:///etc/passwd"), "only https is fetched"},
		{"redirect to loopback", redirect("https://127.0.0.1/"), "no public address"},
		{"redirect to a name of loopback", redirect("https://localhost/"), "no public address"},
		{"redirect to a name that resolves to a private address", redirect("https://rebound.example/"), "10.0.0.1, which is no public address"},
		{"redirect to IPv6 metadata", redirect("https://[fd00:ec2::254]/"), "no public address"},
		{"redirect to a mapped address", redirect("https://[::ffff:169.254.169.254]/"), "no public address"},
		{"redirect through NAT64", redirect("https://[64:ff9b::a9fe:a9fe]/"), "no public address"},
		{"redirect through 6to4", redirect("https://[2002:a9fe:a9fe::1]/"), "no public address"},
		{"redirect to a zone", redirect("https://[fe80::1%25eth0]/"), "no public address"},
		{"redirect to a decimal address", redirect("https://2852039166/"), "2852039166"},
		{"redirect to another port", redirect("https://" + host + ":8443/"), "only port 443"},
		{"redirect with a user", redirect("https://user:secret@" + host + "/"), "user's name"},
		{"redirect for ever", redirect("/feed"), "redirected more than 3 times"},
		{"everything", body(`{"api": ["0.0.0.0/0"]}`), "0.0.0.0/0 is wider than /8"},
		{"everything of IPv6", body(`{"api": ["140.82.112.0/20", "::/0"]}`), "::/0 is wider than /20"},
		{"everything in parts", body(`{"api": ["1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8"]}`), "2.0.0.0/7 is wider than /8"},
		{"private", body(`{"api": ["140.82.112.0/20", "10.1.0.0/16"]}`), "10.1.0.0/16 is not public"},
		{"link-local", body(`{"api": ["140.82.112.0/20", "169.254.169.254/32"]}`), "169.254.169.254/32 is not public"},
		{"private in IPv6", body(`{"api": ["140.82.112.0/20", "fd00::/32"]}`), "fd00::/32 is not public"},
		{"mapped", body(`{"api": ["::ffff:10.0.0.0/104"]}`), "10.0.0.0/8 is not public"},
		{"NAT64", body(`{"api": ["64:ff9b::/96"]}`), "not public"},
		{"around a private range", body(`{"api": ["172.0.0.0/8"]}`), "172.0.0.0/8 is not public"},
		{"empty", body(`{"api": []}`), "holds no ranges"},
		{"nothing", body(``), "cut off"},
		{"cut off", body(good[:len(good)-12]), "cut off"},
		{"something after it", body(good + `{}`), "invalid JSON"},
		{"another form", body(`[[["140.82.112.0/20"]]]`), "no ranges"},
		{"no range in a list", body(`{"api": ["140.82.112.0/20", "x"]}`), `"x" is no range`},
		{"a zone in a list", body(`{"api": ["140.82.112.0/20", "fe80::1%eth0"]}`), "is no range"},
		{"half gone", body(`{"api": ["140.82.112.0/22", "2a0a:a440::/29"]}`), "75 % of its IPv4 addresses are gone"},
		{"doubled", body(`{"api": ["140.82.112.0/20", "2a0a:a440::/29", "20.0.0.0/16"]}`), "api: it has 17.0 times as many IPv4 addresses"},
		{"a section gone", body(`{"web": ["140.82.112.0/20", "2a0a:a440::/29"]}`), "api: 100 % of its IPv4 addresses are gone"},
		{"HTML", typed("text/html; charset=utf-8", "<!DOCTYPE html>"), "not JSON"},
		{"no type", typed("", good), "not JSON"},
		{"JSON that is said to be an image", typed("image/png", good), "not JSON"},
		{"HTML that is said to be JSON", typed("application/json", "<html>"), "invalid JSON"},
		{"not found", status(404), "answers 404"},
		{"throttled", status(429), "answers 429: too many requests"},
		{"not modified, unasked", status(304), "answers 304"},
		{"partial", status(206), "answers 206"},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			say(w, good)
		}, "compressed"},
		{"many headers", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 2000))
			}
			say(w, good)
		}, "header"},
		{"too many values", body(`{"api": [` + strings.Repeat(`"",`, maxValues+1) + `""]}`), "values"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, dir := sample(t)
			before := bytesOf(t, f, dir)
			var asked atomic.Int32
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				tt.handler(w, r)
			})
			out, err := Update(t.Context(), Options{Dir: dir, Now: day.Add(time.Hour), fetch: through(srv, dns(t, "10.0.0.1"))}, f.Name)
			if err != nil {
				t.Fatal(err)
			}
			if out[0].Err == nil || !strings.Contains(out[0].Err.Error(), tt.want) {
				t.Errorf("%v, want %q", out[0].Err, tt.want)
			}
			if strings.Contains(fmt.Sprint(out[0].Err), "secret") {
				t.Errorf("a password in %v", out[0].Err)
			}
			if n := asked.Load(); n > 1+maxRedirects {
				t.Errorf("asked %d times", n)
			}
			if bytesOf(t, f, dir) != before {
				t.Error("the old copy was not kept")
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

// TestHugeBody streams ten gigabytes. They must not be read, and not kept in memory.
func TestHugeBody(t *testing.T) {
	for _, said := range []bool{true, false} {
		const size = 10 << 30
		var sent atomic.Int64
		done := make(chan struct{})
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			defer close(done)
			w.Header().Set("Content-Type", "application/json")
			if said {
				w.Header().Set("Content-Length", fmt.Sprint(int64(size)))
			}
			chunk := []byte(strings.Repeat(`"140.82.112.0/20",`, 4096))
			for sent.Load() < size {
				n, err := w.Write(chunk)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		})
		f, dir := sample(t)
		before := bytesOf(t, f, dir)
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		out, err := Update(t.Context(), Options{Dir: dir, Now: day, fetch: through(srv, nil)}, f.Name)
		runtime.ReadMemStats(&is)
		<-done
		if err != nil || !errors.Is(out[0].Err, errTooLarge) || bytesOf(t, f, dir) != before {
			t.Errorf("%v, %+v", err, out)
		}
		if n := sent.Load(); n > 2*maxBody {
			t.Errorf("%d bytes were sent", n)
		}
		if n := is.TotalAlloc - was.TotalAlloc; n > 8*maxBody {
			t.Errorf("%d bytes were allocated", n)
		}
	}
}

// TestTrickle sends a byte now and then: no time limit of a single step notices.
func TestTrickle(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 1000 {
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	f, dir := sample(t)
	before := bytesOf(t, f, dir)
	slow := through(srv, nil)
	slow.timeout = 300 * time.Millisecond
	out, err := Update(t.Context(), Options{Dir: dir, Now: day, fetch: slow}, f.Name)
	if err != nil || out[0].Err == nil || !strings.Contains(out[0].Err.Error(), "no full answer in time") || bytesOf(t, f, dir) != before {
		t.Errorf("%v, %+v", err, out)
	}
}

// TestCertificate demands that the certificate is verified.
func TestCertificate(t *testing.T) {
	f, dir := sample(t)
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { say(w, good) })
	strangers := through(srv, nil)
	strangers.roots = x509.NewCertPool()
	out, err := Update(t.Context(), Options{Dir: dir, Now: day, fetch: strangers}, f.Name)
	if err != nil || out[0].Err == nil || !strings.Contains(out[0].Err.Error(), "certificate") {
		t.Errorf("%v, %+v", err, out)
	}
}

// TestSendsNothingElse demands that no proxy is asked, and that nothing is sent along.
func TestSendsNothingElse(t *testing.T) {
	if c := (fetcher{}).client(time.Second); c.Transport.(*http.Transport).Proxy != nil || c.Jar != nil {
		t.Errorf("%+v", c)
	}
	f, dir := sample(t)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
			t.Error("sent more than was asked for")
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		say(w, good)
	})
	out, err := Update(t.Context(), Options{Dir: dir, Now: day, fetch: through(srv, nil)}, f.Name)
	if err != nil || out[0].Err != nil {
		t.Errorf("%v, %+v", err, out)
	}
}

// TestRebinding resolves to what looks public first. Whatever the name resolved to, each connection
// is judged by its own address.
func TestRebinding(t *testing.T) {
	resolver := dns(t, "169.254.169.254", "10.0.0.1", "127.0.0.1", "100.64.0.1", "168.63.129.16", "0.0.0.0", "224.0.0.1", "34.118.224.1")
	for range 8 {
		f := fetcher{timeout: 5 * time.Second, dialer: func(d *net.Dialer) dial {
			d.Resolver = resolver
			return d.DialContext
		}}
		if _, err := f.get(t.Context(), "https://rebound.example/", "", ""); err == nil || !strings.Contains(err.Error(), "no public address") {
			t.Error(err)
		}
	}
}

func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"140.82.112.3": true, "2606:50c0::1": true, "64:ff9b::8c52:7003": true, "::ffff:140.82.112.3": true,
		"10.0.0.1": false, "127.0.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.100.100.200": false, "0.0.0.0": false, "192.0.2.1": false,
		"198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "168.63.129.16": false, "34.118.224.10": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "ff02::1": false, "::ffff:10.0.0.1": false, "::10.0.0.1": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b:1::a9fe:a9fe": false, "2002:a9fe:a9fe::": false, "2001:0:a9fe:a9fe::": false, "2001:db8::1": false, "140.82.112.3%x": false,
		"2606:50c0::1%eth0": false, "fec0::1": false, "100::1": false,
	} {
		a, err := netip.ParseAddr(addr)
		if err != nil && want {
			t.Error(err)
		}
		if public(a) != want {
			t.Errorf("%s: public is %v", addr, !want)
		}
	}
}
