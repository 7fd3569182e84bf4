package agenttls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mesos-docker-executor/executor/rootpath"
)

const (
	maxFile  = 1 << 20 // bytes of one file; the authorities of a host have 200 KiB
	maxFiles = 2000    // in a folder of authorities; that of a Debian host has 300
)

// setting is a setting that errors name: its key in config.yaml. In capitals it
// is libprocess' variable.
type setting string

const (
	settingCAFile   setting = "ca_file"
	settingCADir    setting = "ca_dir"
	settingCertFile setting = "cert_file"
	settingKeyFile  setting = "key_file"
	settingCiphers  setting = "ciphers"     // no key
	settingCurves   setting = "ecdh_curves" // no key
)

// reader reads files that are root's alone.
type reader struct {
	workDir string // the agent's
	pinned  bool
}

// unusable is the problem with a file. Who named it in the environment may be a
// task, to which the differences would tell what root has at any path.
func (r reader) unusable(s setting, path string, err error) error {
	if !r.pinned {
		err = errors.New("cannot be used: it has to be root's alone and hold what is needed in PEM form, without a passphrase; agent.tls in config.yaml says what is wrong with a path")
	}
	return r.problem(s, path, err)
}

func (r reader) problem(s setting, value string, err error) error {
	name := "environment: LIBPROCESS_SSL_" + strings.ToUpper(string(s))
	if r.pinned {
		name = "config.yaml: agent.tls." + string(s)
	}
	return fmt.Errorf("%s: %s %w", name, strconv.Quote(value), err)
}

// authorities reads who is trusted; nil are those of the host.
func (r reader) authorities(file, dir string) (*x509.CertPool, error) {
	if file == "" && dir == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	var failed error
	if file != "" {
		if err := r.addFile(pool, file); err != nil {
			failed = r.unusable(settingCAFile, file, err)
		}
	}
	if dir != "" {
		if err := r.addFolder(pool, dir); err != nil {
			failed = errors.Join(failed, r.unusable(settingCADir, dir, err))
		}
	}
	return pool, failed
}

func (r reader) addFile(pool *x509.CertPool, path string) error {
	data, err := r.read(path)
	if err != nil {
		return err
	}
	if !pool.AppendCertsFromPEM(data) {
		return errors.New("holds no certificate in PEM form; name a file of the authorities' certificates")
	}
	return nil
}

// addFolder reads what OpenSSL reads of a folder, the files that `openssl rehash`
// named after a hash, or, if there are none, every *.pem and *.crt.
func (r reader) addFolder(pool *x509.CertPool, dir string) error {
	entries, err := list(dir)
	if err != nil {
		return err
	}
	hashed := named(entries, regexp.MustCompile(`^[0-9a-f]{8}\.[0-9]{1,4}$`))
	if len(hashed) == 0 {
		hashed = named(entries, regexp.MustCompile(`\.(pem|crt)$`))
	}
	if len(hashed) == 0 {
		return errors.New("holds no file named as by `openssl rehash`, *.pem or *.crt; put the authorities' certificates there")
	}
	for _, name := range hashed {
		if err := r.addFile(pool, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("cannot be used: %s %w", strconv.Quote(name), err)
		}
	}
	return nil
}

// list reads a folder that may be anything at all: O_DIRECTORY opens nothing
// else, and the number of names is bounded.
func list(dir string) ([]fs.DirEntry, error) {
	folder, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, reason(err)
	}
	defer folder.Close()
	entries, err := folder.ReadDir(maxFiles + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, reason(err)
	case len(entries) > maxFiles:
		return nil, fmt.Errorf("holds more than %d files; name a folder with the agent's authorities only", maxFiles)
	}
	return entries, nil
}

func named(entries []fs.DirEntry, form *regexp.Regexp) []string {
	var names []string
	for _, entry := range entries {
		if form.MatchString(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names
}

// certificate reads our own certificate with its intermediates, and its key. No
// error has more of them than that they are no use.
func (r reader) certificate(certFile, keyFile string) (tls.Certificate, error) {
	certData, certErr := r.read(certFile)
	if certErr != nil {
		certErr = r.unusable(settingCertFile, certFile, certErr)
	} else if block, _ := pem.Decode(certData); block == nil {
		certErr = r.unusable(settingCertFile, certFile, errors.New("holds no certificate in PEM form"))
	}
	keyData, keyErr := r.read(keyFile)
	if keyErr != nil {
		keyErr = r.unusable(settingKeyFile, keyFile, keyErr)
	} else if encrypted(keyData) {
		keyErr = r.unusable(settingKeyFile, keyFile, errors.New("is encrypted; nobody could type the passphrase, store it without"))
	}
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certData, keyData)
	if err != nil { // its text may say what else is in the files
		return tls.Certificate{}, r.unusable(settingKeyFile, keyFile, errors.New("is not the key of the certificate in cert_file, or one of the two cannot be read; both are needed in PEM form"))
	}
	return pair, nil
}

// encrypted recognises the two forms of keys with a passphrase (RFC 1421 and
// RFC 7468, section 11).
func encrypted(data []byte) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return false
}

// read returns the content of a file. The error continues a sentence that
// begins with its path.
func (r reader) read(path string) ([]byte, error) {
	file, where, err := openRegular(path)
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, reason(err)
	}
	if err := r.checkTrust(where, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("is larger than %d bytes; this is no certificate", maxFile)
	}
	return data, nil
}

// checkTrust wants a file that is root's alone. where is its path without
// symbolic links, or what the kernel has for one: it knows no path that leads
// into another mount namespace, by way of /proc/<pid>/root, and gives the one
// that the file has there.
func (r reader) checkTrust(where string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return errNotRegular
	case !ok:
		return errors.New("has an owner that cannot be determined on this system")
	case stat.Uid != 0:
		return fmt.Errorf("belongs to user %d, not to root; run `chown root` on it", stat.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("may be written by its group or others (mode %04o); run `chmod go-w` on it", info.Mode().Perm())
	}
	if err := rootpath.Check(where, r.workDir); err != nil {
		return err
	}
	if there, err := os.Lstat(where); err != nil || !os.SameFile(info, there) {
		return errors.New("is not a file of the host's; name it by a path that does not lead through /proc")
	}
	return nil
}

var errNotRegular = errors.New("is not a regular file; name a file")

// reason shortens an error of the file system to what its path does not say.
func reason(err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("does not exist; create it, or correct the path")
	case errors.As(err, &errno):
		return fmt.Errorf("cannot be read: %w", errno)
	}
	return err
}
