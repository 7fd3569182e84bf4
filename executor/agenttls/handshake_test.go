package agenttls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/agenttls/tlstest"
)

// server is a listener on 127.0.0.1 that sends a byte to whoever gets through
// the handshake; settings nil: it speaks no TLS.
func server(t *testing.T, settings *tls.Config) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if settings == nil {
				io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
				io.Copy(io.Discard, conn)
			} else if secured := tls.Server(conn, settings); secured.HandshakeContext(t.Context()) == nil {
				io.WriteString(secured, "x")
				io.Copy(io.Discard, secured)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-served
	})
	return l.Addr().String()
}

// connect makes one connection and reads the server's byte.
func connect(t *testing.T, c *Client, address string) (tls.ConnectionState, error) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	secured, err := c.Secure(t.Context(), conn)
	if err != nil {
		if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the connection is left open: %v", err)
		}
		return tls.ConnectionState{}, err
	}
	defer secured.Close()
	_, err = io.ReadFull(secured, make([]byte, 1))
	return secured.(*tls.Conn).ConnectionState(), err
}

// base are libprocess' defaults.
func base(change func(*Options)) Options {
	o := Options{ReverseName: true, Depth: 4, V12: true}
	if change != nil {
		change(&o)
	}
	return o
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o, "/work")
	if err != nil {
		t.Fatal(err)
	}
	c.lookup = func(context.Context, string) ([]string, error) { return nil, errors.New("no name") }
	return c
}

func TestHandshakes(t *testing.T) {
	authority, stranger := tlstest.NewAuthority(t, "authority"), tlstest.NewAuthority(t, "stranger")
	local := tlstest.Leaf{Name: "agent", IPs: []string{"127.0.0.1"}}
	right := authority.Issue(t, local)
	issue := func(l tlstest.Leaf) tls.Certificate { return authority.Issue(t, l) }
	with := func(c tls.Certificate, change ...func(*tls.Config)) *tls.Config {
		settings := &tls.Config{Certificates: []tls.Certificate{c}}
		for _, f := range change {
			f(settings)
		}
		return settings
	}
	demanding := func(s *tls.Config) { s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, authority.Pool() }
	ca := tlstest.WriteAuthority(t, authority)
	verified := base(func(o *Options) { o.CAFile, o.Verify, o.VerifyAddress = ca, true, true })
	change := func(o Options, f func(*Options)) Options { f(&o); return o }
	certFile, keyFile := tlstest.WritePair(t, authority.Issue(t, tlstest.Leaf{Name: "executor"}))
	strangeCert, strangeKey := tlstest.WritePair(t, stranger.Issue(t, tlstest.Leaf{Name: "executor"}))
	certified := change(verified, func(o *Options) { o.CertFile, o.KeyFile = certFile, keyFile })
	once, twice := authority.Intermediate(t, "one"), authority.Intermediate(t, "one").Intermediate(t, "two")

	for name, c := range map[string]struct {
		options Options
		server  *tls.Config
		refused string // part of the error; empty: accepted
	}{
		"unverified":                           {base(nil), with(right), ""},
		"unverified, anybody's certificate":    {base(nil), with(stranger.Issue(t, tlstest.Leaf{Expired: true})), ""},
		"right authority":                      {verified, with(right), ""},
		"wrong authority":                      {verified, with(stranger.Issue(t, local)), "ca_file or ca_dir holds the authority"},
		"expired":                              {verified, with(issue(tlstest.Leaf{IPs: local.IPs, Expired: true})), "renew the agent's certificate"},
		"not yet valid":                        {verified, with(issue(tlstest.Leaf{IPs: local.IPs, NotYet: true})), "set this host's clock"},
		"for another use":                      {verified, with(issue(tlstest.Leaf{IPs: local.IPs, ForOther: true})), "key usage"},
		"wrong address":                        {verified, with(issue(tlstest.Leaf{IPs: []string{"127.0.0.2"}})), "127.0.0.2, not for the address 127.0.0.1"},
		"address not counted":                  {change(verified, func(o *Options) { o.VerifyAddress = false }), with(right), "set LIBPROCESS_SSL_VERIFY_IPADD=true"},
		"server name":                          {change(verified, func(o *Options) { o.ServerName = "agent.example" }), with(issue(tlstest.Leaf{DNS: []string{"*.example"}})), ""},
		"wrong server name":                    {change(verified, func(o *Options) { o.ServerName = "agent.example" }), with(right), "correct agent.tls.server_name"},
		"one intermediate":                     {change(verified, func(o *Options) { o.Depth = 1 }), with(once.Issue(t, local)), ""},
		"too many intermediates":               {change(verified, func(o *Options) { o.Depth = 1 }), with(twice.Issue(t, local)), "more than 1 intermediate"},
		"the host's authorities do not do":     {change(verified, func(o *Options) { o.CAFile = "" }), with(right), "unknown authority"},
		"client certificate":                   {certified, with(right, demanding), ""},
		"no client certificate":                {verified, with(right, demanding), "client certificate (cert_file, key_file)"},
		"client certificate of another":        {change(verified, func(o *Options) { o.CertFile, o.KeyFile = strangeCert, strangeKey }), with(right, demanding), "ended the handshake"},
		"server of TLS 1.3 only":               {verified, with(right, func(s *tls.Config) { s.MinVersion = tls.VersionTLS13 }), "the version"},
		"both of TLS 1.3":                      {change(verified, func(o *Options) { o.V13 = true }), with(right, func(s *tls.Config) { s.MinVersion = tls.VersionTLS13 }), ""},
		"1.3 here, 1.2 there":                  {change(verified, func(o *Options) { o.V12, o.V13 = false, true }), with(right, func(s *tls.Config) { s.MaxVersion = tls.VersionTLS12 }), "version"},
		"server of TLS 1.1":                    {verified, with(right, func(s *tls.Config) { s.MinVersion, s.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), "version"},
		"libprocess's default ciphers":         {verified, with(issue(tlstest.Leaf{IPs: local.IPs, ForRSA: true}), func(s *tls.Config) { s.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA} }), ""},
		"no common cipher":                     {change(verified, func(o *Options) { o.Ciphers = "ECDHE-RSA-AES128-GCM-SHA256" }), with(right), "the ciphers"},
		"no common curve":                      {change(verified, func(o *Options) { o.Curves = "P-521" }), with(right, func(s *tls.Config) { s.CurvePreferences = []tls.CurveID{tls.X25519} }), "ended the handshake"},
		"server without TLS":                   {verified, nil, "does not speak TLS; check agent.tls.mode"},
		"server without TLS, downgrade wished": {base(func(o *Options) { o.Downgrade = true }), nil, "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := connect(t, newClient(t, c.options), server(t, c.server))
			switch {
			case c.refused == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.refused != "" && err == nil:
				t.Fatal("accepted")
			case c.refused != "" && !strings.Contains(err.Error(), c.refused):
				t.Errorf("%q is not in: %v", c.refused, err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			if err == nil && !c.options.V13 && state.Version != tls.VersionTLS12 {
				t.Errorf("version %x", state.Version)
			}
		})
	}
}

func TestHTTP2IsNotNegotiated(t *testing.T) {
	certificate := tlstest.NewAuthority(t, "a").Issue(t, tlstest.Leaf{})
	state, err := connect(t, newClient(t, base(nil)), server(t, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}))
	if err != nil || state.NegotiatedProtocol != "" {
		t.Errorf("protocol %q, %v", state.NegotiatedProtocol, err)
	}
}

func TestCertificateIsJudgedBeforeTheKeyIsUsed(t *testing.T) {
	authority := tlstest.NewAuthority(t, "authority")
	stranger := tlstest.NewAuthority(t, "stranger")
	certFile, keyFile := tlstest.WritePair(t, authority.Issue(t, tlstest.Leaf{Name: "executor"}))
	shown := make(chan struct{}, 1)
	address := server(t, &tls.Config{
		Certificates: []tls.Certificate{stranger.Issue(t, tlstest.Leaf{IPs: []string{"127.0.0.1"}})},
		ClientAuth:   tls.RequireAnyClientCert,
		VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error {
			shown <- struct{}{}
			return nil
		},
	})
	c := newClient(t, base(func(o *Options) {
		o.CAFile, o.Verify, o.VerifyAddress = tlstest.WriteAuthority(t, authority), true, true
		o.CertFile, o.KeyFile = certFile, keyFile
	}))
	if _, err := connect(t, c, address); err == nil {
		t.Fatal("accepted")
	}
	select {
	case <-shown:
		t.Error("an unverified server got the client certificate")
	default:
	}
}

func TestReverseNameIsLookedUpBeforeTheHandshake(t *testing.T) {
	authority := tlstest.NewAuthority(t, "authority")
	ca := tlstest.WriteAuthority(t, authority)
	address := server(t, &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, tlstest.Leaf{DNS: []string{"agent.example"}})}})
	c := newClient(t, base(func(o *Options) { o.CAFile, o.Verify = ca, true }))
	if _, err := connect(t, c, address); err == nil || !strings.Contains(err.Error(), "no name by reverse lookup") {
		t.Errorf("without a name: %v", err)
	}
	c.lookup = func(_ context.Context, address string) ([]string, error) {
		if address != "127.0.0.1" {
			t.Errorf("looked up %s", address)
		}
		return []string{"Agent.Example.", "other."}, nil
	}
	if _, err := connect(t, c, address); err != nil {
		t.Errorf("with the name: %v", err)
	}
}

func TestHangingServerIsLeftWithTheContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := newClient(t, base(nil)).Secure(ctx, conn); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestNotesSayWhatIsNotDone(t *testing.T) {
	unverified := newClient(t, base(func(o *Options) { o.Downgrade, o.Outdated, o.Ciphers = true, true, "AES128-SHA:RC4-SHA" })).Notes()
	verified := newClient(t, base(func(o *Options) { o.Verify = true })).Notes()
	for want, notes := range map[string][]string{
		"not verified": unverified, "never falls back": unverified, "not offered": unverified, "RC4-SHA": unverified, "the DNS": verified,
	} {
		if !strings.Contains(strings.Join(notes, "\n"), want) {
			t.Errorf("%q is not in %q", want, notes)
		}
	}
	if notes := newClient(t, base(func(o *Options) { o.Verify, o.VerifyAddress, o.ReverseName = true, true, false })).Notes(); len(notes) > 0 {
		t.Errorf("notes without a reason: %q", notes)
	}
}
