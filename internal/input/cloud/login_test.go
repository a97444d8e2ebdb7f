package cloud

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Credentials of the SDKs' own kinds. None of them leaves this machine.

const accessKey = "AKIDEXAMPLE"

var serviceKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
})

// loginGoogle makes the key of a service account the application default credentials, and r the
// login service.
func loginGoogle(t *testing.T, r *replay) {
	t.Helper()
	if r.answers["/token"] == nil {
		r.answers["/token"] = []reply{{body: `{"access_token": "` + token + `", "token_type": "Bearer", "expires_in": 3600}`}}
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "tenant-1", "client_email": "x@tenant-1.iam.gserviceaccount.com", "client_id": "1",
		"private_key_id": "1", "private_key": string(serviceKey()), "token_uri": r.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", write(t, "key.json", string(account), 0o600))
}

// loginAmazon sets a static key, and r as the endpoint of both services.
func loginAmazon(t *testing.T, r *replay) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": token, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL_EKS": r.URL, "AWS_ENDPOINT_URL_EC2": r.URL,
	} {
		t.Setenv(name, value)
	}
}

// loginAzure puts an az on the path that is logged in.
func loginAzure(t *testing.T) {
	answer := `{"accessToken": "` + token + `", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800, "subscription": "0000", "tenant": "t", "tokenType": "Bearer"}`
	azCommand(t, "echo '"+answer+"'")
}

func azCommand(t *testing.T, script string) {
	if runtime.GOOS == "windows" {
		t.Skip("az is a shell script here")
	}
	az := write(t, "az", "#!/bin/sh\n"+script+"\n", 0o700)
	t.Setenv("PATH", filepath.Dir(az)+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "AzureCLICredential")
}

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantError fails the test if err is not an Error that says all of the words, or if it says what
// nobody may read.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("%T %v, want an Error", err, err)
	}
	text := fmt.Sprintf("%s (%s)", e, e.Hint)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
	for _, secret := range []string{token, "Bearer", "Authorization"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q says %q", text, secret)
		}
	}
	if strings.ContainsAny(text, "\n\x1b") {
		t.Errorf("%q does not fit a line", text)
	}
}
