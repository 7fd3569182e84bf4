package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
)

const safePath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func TestCleanEnvironDropsWhatTheTaskBrings(t *testing.T) {
	agents := recorded(t, "drop-in", "env.json")
	hostile := []string{
		"GODEBUG=http2debug=2", "GOTRACEBACK=crash", "GOMAXPROCS=1", "GOGC=off", "GORACE=log_path=/etc/x", "GOCOVERDIR=/etc",
		"LD_PRELOAD=/mnt/mesos/sandbox/x.so", "LD_LIBRARY_PATH=/tmp",
		"HTTP_PROXY=http://evil", "https_proxy=http://evil", "NO_PROXY=*", "ALL_PROXY=socks://evil",
		"DOCKER_HOST=tcp://evil", "DOCKER_API_VERSION=1.12", "DOCKER_CERT_PATH=/tmp", "DOCKER_CONFIG=/tmp",
		"SSL_CERT_FILE=/tmp/ca", "SSL_CERT_DIR=/tmp", "HOME=/tmp", "TZ=/etc/shadow", "TMPDIR=/tmp", "XDG_CONFIG_HOME=/tmp",
		"RES_OPTIONS=x", "LOCALDOMAIN=x", "NOTIFY_SOCKET=/x", "LIBPROCESS_ADVERTISE_IP=1.2.3.4", "LIBPROCESS_IP=1.2.3.4", "LIBPROCESS_PORT=1", "MESOS_WORK_DIR=/x", "MESOS_SANDBOX=/x",
		"mesos_slave_id=x", "MESOS_DIRECTORY", "", "=", "=C:=x",
	}
	clean, changed := config.CleanEnviron(append(slices.Clone(hostile), agents...), false)
	if !changed {
		t.Error("not reported as changed")
	}
	want := slices.DeleteFunc(slices.Clone(agents), func(e string) bool {
		mine := strings.HasPrefix(e, "MESOS_")
		return !mine || strings.HasPrefix(e, "MESOS_NATIVE_") || strings.HasPrefix(e, "MESOS_HTTP_")
	})
	want = append(want, safePath)
	if diff := cmp.Diff(want, clean); diff != "" {
		t.Errorf("clean environment (-want +got):\n%s", diff)
	}
}

func TestCleanEnvironKeepsWhatTheSessionNeeds(t *testing.T) {
	env := []string{
		"MESOS_EXECUTOR_AUTHENTICATION_TOKEN=x=y=", "MESOS_DOMAIN_SOCKET=/a",
		"LIBPROCESS_SSL_ENABLED=true", "LIBPROCESS_SSL_CA_FILE=/etc/ca",
		"LIBPROCESS_SSL_ECDH_CURVE=auto", "LIBPROCESS_SSL_ECDH_CURVES=auto", safePath,
	}
	clean, changed := config.CleanEnviron(env, false)
	if changed || !slices.Equal(clean, env) {
		t.Errorf("changed %v: %q", changed, clean)
	}
}

func TestCleanEnvironSetsPath(t *testing.T) {
	for _, env := range [][]string{nil, {"PATH=/mnt/mesos/sandbox"}, {"PATH="}, {safePath, safePath}} {
		clean, changed := config.CleanEnviron(env, false)
		if !changed || !slices.Equal(clean, []string{safePath}) {
			t.Errorf("%q: changed %v to %q", env, changed, clean)
		}
	}
}

func TestCleanEnvironAndDuplicates(t *testing.T) {
	env := []string{
		"LIBPROCESS_SSL_CA_FILE=/a", "LIBPROCESS_SSL_CA_FILE=/b",
		"MESOS_SLAVE_ID=a", "MESOS_SLAVE_ID=a", "MESOS_EXECUTOR_ID=a", "MESOS_EXECUTOR_ID=b", "MESOS_EXECUTOR_ID=b",
	}
	clean, _ := config.CleanEnviron(env, false)
	want := []string{"LIBPROCESS_SSL_CA_FILE=/a", "MESOS_SLAVE_ID=a", "MESOS_EXECUTOR_ID=a", "MESOS_EXECUTOR_ID=b", safePath}
	if diff := cmp.Diff(want, clean); diff != "" {
		t.Errorf("clean environment (-want +got):\n%s", diff)
	}
}

func TestCleanEnvironAndNamesOfOldLibprocess(t *testing.T) {
	env := []string{"SSL_ENABLED=true", "SSL_CERT_FILE=/old", "LIBPROCESS_SSL_CERT_FILE=/new", "SSL_CERT_DIR=/x", "SSL_=y", safePath}
	clean, _ := config.CleanEnviron(env, true)
	want := []string{"LIBPROCESS_SSL_ENABLED=true", "LIBPROCESS_SSL_CERT_FILE=/new", safePath}
	if diff := cmp.Diff(want, clean); diff != "" {
		t.Errorf("custom mode (-want +got):\n%s", diff)
	}
	// In drop-in mode they are the application's.
	clean, _ = config.CleanEnviron(env, false)
	if diff := cmp.Diff(want[1:], clean); diff != "" {
		t.Errorf("drop-in mode (-want +got):\n%s", diff)
	}
}

func FuzzCleanEnviron(f *testing.F) {
	f.Add("MESOS_SLAVE_ID=a\nMESOS_SLAVE_ID=b\nMESOS_SLAVE_ID=a\nPATH=/x\nGODEBUG=x", false)
	f.Add("PATH\n=\nLIBPROCESS_SSL_ENABLED\nLIBPROCESS_SSL_ENABLED=", false)
	f.Add("SSL_ENABLED=1\nSSL_CERT_FILE=/x\nLIBPROCESS_SSL_CERT_FILE=/y\nSSL_ENABLED=0", true)
	f.Fuzz(func(t *testing.T, lines string, legacySSL bool) {
		env := strings.Split(lines, "\n")
		before := slices.Clone(env)
		clean, _ := config.CleanEnviron(env, legacySSL)
		if !slices.Equal(env, before) {
			t.Error("the argument was modified")
		}
		again, changed := config.CleanEnviron(clean, legacySSL)
		if changed {
			t.Errorf("a second pass changes %q to %q: the process would execute itself for ever", clean, again)
		}
	})
}
