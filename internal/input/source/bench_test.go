package source_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/toolmoat/toolmoat/internal/input/source"
)

// manifests returns n files of about 1 kB, as a cluster of MCP servers has them: a Deployment, a
// Service and two policies a tenant.
func manifests(n int) []source.File {
	files := make([]source.File, 0, n)
	for i := range n {
		var b bytes.Buffer
		switch i % 4 {
		case 0, 1:
			fmt.Fprintf(&b, deployment, i, i%100, i, i, i, i, i)
		case 2:
			fmt.Fprintf(&b, service, i, i%100, i, i)
		case 3:
			fmt.Fprintf(&b, networkPolicy, i, i%100, i)
		}
		files = append(files, source.File{Name: fmt.Sprintf("f%05d.yaml", i), Data: b.Bytes()})
	}
	return files
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: server-%d
  namespace: tenant-%d
  labels:
    app.kubernetes.io/name: server
    app.kubernetes.io/instance: server-%d
    app.kubernetes.io/managed-by: Helm
    helm.sh/chart: server-1.2.3
spec:
  replicas: 2
  selector:
    matchLabels:
      app: server-%d
  template:
    metadata:
      labels:
        app: server-%d
        role: mcp
        app.kubernetes.io/instance: server-%d
    spec:
      serviceAccountName: server-%d
      containers:
        - name: main
          image: "registry.example.com/mcp/server:1.2.3"
          args: ["--transport", "http", "--port=3000"]
          env:
            - name: UPSTREAM_URL
              value: "https://api.example.com/v1"
            - name: TOKEN
              valueFrom:
                secretKeyRef:
                  name: creds
                  key: token
          ports:
            - name: http
              containerPort: 3000
              protocol: TCP
          readinessProbe:
            httpGet:
              path: /healthz
              port: http
          resources:
            limits:
              cpu: 500m
              memory: 256Mi
            requests:
              cpu: 100m
              memory: 128Mi
          securityContext:
            runAsNonRoot: true
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities:
              drop: ["ALL"]
`

const service = `apiVersion: v1
kind: Service
metadata:
  name: server-%d
  namespace: tenant-%d
  labels:
    app.kubernetes.io/instance: server-%d
spec:
  type: ClusterIP
  selector:
    app: server-%d
  ports:
    - name: http
      port: 80
      targetPort: http
      protocol: TCP
`

const networkPolicy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: server-%d
  namespace: tenant-%d
spec:
  podSelector:
    matchLabels:
      app: server-%d
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: gateway
          podSelector:
            matchLabels:
              app: gateway
      ports:
        - protocol: TCP
          port: 3000
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
      ports:
        - protocol: UDP
          port: 53
        - protocol: TCP
          port: 53
    - to:
        - ipBlock:
            cidr: 0.0.0.0/0
            except:
              - 10.0.0.0/8
              - 172.16.0.0/12
              - 192.168.0.0/16
              - 169.254.0.0/16
      ports:
        - port: 443
`

func BenchmarkLoad(b *testing.B) {
	files := manifests(10_000)
	size := 0
	for _, f := range files {
		size += len(f.Data)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		snap := source.LoadFiles(files...)
		if len(snap.Problems) > 0 {
			b.Fatal(snap.Problems[0])
		}
	}
}
