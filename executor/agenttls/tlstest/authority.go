// Package tlstest makes certificate authorities and certificates for tests. Keys
// are ECDSA unless RSA is asked for: they are made in no time.
package tlstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates.
type Authority struct {
	Certificate *x509.Certificate
	key         crypto.Signer
	parents     [][]byte // of an intermediate authority: what goes with its certificates
}

// Leaf says what a certificate is for. The zero value is for nobody.
type Leaf struct {
	Name     string // common name
	DNS      []string
	IPs      []string
	Expired  bool
	NotYet   bool
	ForRSA   bool // an RSA key
	ForOther bool // for signing mail, not for TLS
}

// NewAuthority makes a self-signed authority.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{key: newKey(t, false)}
	template := authorityTemplate(name)
	a.Certificate, _ = sign(t, template, template, a.key.Public(), a.key)
	return a
}

// Intermediate makes an authority below a.
func (a *Authority) Intermediate(t testing.TB, name string) *Authority {
	t.Helper()
	lower := &Authority{key: newKey(t, false)}
	var raw []byte
	lower.Certificate, raw = sign(t, authorityTemplate(name), a.Certificate, lower.key.Public(), a.key)
	lower.parents = append([][]byte{raw}, a.parents...)
	return lower
}

// Issue makes a certificate, with the intermediate authorities up to the root.
func (a *Authority) Issue(t testing.TB, l Leaf) tls.Certificate {
	t.Helper()
	key := newKey(t, l.ForRSA)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(t),
		Subject:      pkix.Name{CommonName: l.Name},
		DNSNames:     l.DNS,
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, ip := range l.IPs {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	switch {
	case l.Expired:
		template.NotAfter = now.Add(-time.Minute)
	case l.NotYet:
		template.NotBefore = now.Add(30 * time.Minute)
	}
	if l.ForOther {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	}
	certificate, raw := sign(t, template, a.Certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: append([][]byte{raw}, a.parents...), PrivateKey: key, Leaf: certificate}
}

// Pool holds the authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate)
	return pool
}

// PEM is the authority's certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw})
}

// WriteAuthority writes the certificate into a file of a temporary folder.
func WriteAuthority(t testing.TB, a *Authority) (path string) {
	t.Helper()
	return write(t, "ca.pem", a.PEM())
}

// WritePair writes certificate and key into files of a temporary folder.
func WritePair(t testing.TB, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	var certificates []byte
	for _, raw := range c.Certificate {
		certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", certificates), write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func authorityTemplate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(2 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, []byte) {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, raw
}

func newKey(t testing.TB, forRSA bool) (key crypto.Signer) {
	t.Helper()
	var err error
	if forRSA {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
