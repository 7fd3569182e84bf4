package agenttls

import (
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// rule decides whether a certificate is the agent's. It is pure.
type rule struct {
	verify      bool
	roots       *x509.CertPool // nil: the host's own
	serverName  string
	address     bool
	reverseName bool
	depth       int
}

// peer is whom the executor is connected to.
type peer struct {
	address netip.Addr
	name    string // by reverse lookup; empty: unknown
}

// check judges the certificates that the peer sent, its own first.
func (r rule) check(sent []*x509.Certificate, p peer, now time.Time) error {
	if !r.verify {
		return nil
	}
	if len(sent) == 0 {
		return refuse("there is none")
	}
	if err := r.checkChain(sent, now); err != nil {
		return err
	}
	return r.checkName(sent[0], p)
}

func (r rule) checkChain(sent []*x509.Certificate, now time.Time) error {
	intermediates := x509.NewCertPool()
	for _, c := range sent[1:] {
		intermediates.AddCert(c)
	}
	chains, err := sent[0].Verify(x509.VerifyOptions{
		Roots: r.roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return refuse("%s; %s", strings.TrimPrefix(err.Error(), "x509: "), chainRemedy(err))
	}
	// Neither the certificate itself nor the authority at the end counts (SSL_CTX_set_verify_depth(3)).
	short := func(chain []*x509.Certificate) bool { return len(chain)-2 <= r.depth }
	if !slices.ContainsFunc(chains, short) {
		return refuse("there are more than %d intermediate authorities between it and a trusted one; raise the verification depth", r.depth)
	}
	return nil
}

func chainRemedy(err error) string {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "renew the agent's certificate, or set this host's clock"
	}
	return "check that ca_file or ca_dir holds the authority that issued the agent's certificate"
}

// checkName compares what libprocess compares (verify and configure_socket).
func (r rule) checkName(c *x509.Certificate, p peer) error {
	if r.serverName != "" {
		if err := c.VerifyHostname(r.serverName); err != nil {
			return refuse("it is for %s, not for %s; correct agent.tls.server_name or the agent's certificate", subject(c), r.serverName)
		}
		return nil
	}
	if r.address && slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool {
		address, ok := netip.AddrFromSlice(ip)
		return ok && address.Unmap() == p.address
	}) {
		return nil
	}
	// libprocess knows no wildcards. Names of hosts have no case.
	if r.reverseName && p.name != "" {
		matches := func(name string) bool { return strings.EqualFold(name, p.name) }
		if slices.ContainsFunc(c.DNSNames, matches) || matches(c.Subject.CommonName) {
			return nil
		}
	}
	return refuse("it is for %s, not for %s", subject(c), r.wanted(p))
}

// wanted says what would have been accepted, and how more would be.
func (r rule) wanted(p peer) string {
	var ways []string
	if r.address {
		ways = append(ways, "the address "+p.address.String())
	}
	if r.reverseName && p.name != "" {
		ways = append(ways, "the name "+p.name)
	}
	text := strings.Join(ways, " or ")
	switch {
	case r.reverseName && p.name == "" && text != "":
		text += " (which has no name by reverse lookup)"
	case r.reverseName && p.name == "":
		text = p.address.String() + ", which has no name by reverse lookup"
	}
	if !r.address {
		return text + "; give it one of the agent's address and set LIBPROCESS_SSL_VERIFY_IPADD=true, or use agent.tls.server_name in config.yaml"
	}
	return text + "; correct it, or set agent.tls.server_name in config.yaml"
}
