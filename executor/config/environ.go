package config

import (
	"slices"
	"strings"
)

// safePath replaces whatever PATH says. It is the default that the Mesos
// containerizers give to executors without a PATH
// (os::host_default_path in 3rdparty/stout/include/stout/posix/os.hpp).
const safePath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// allowedNames are the variables that the executor process itself may see:
// what the agent says in its own name, and how to reach it.
//
// Not among them, on purpose: TZ (the Go runtime opens the file that it names;
// our times are UTC), HOME, every proxy, DOCKER_*, SSL_CERT_*, LD_*, GODEBUG,
// GOTRACEBACK and the other GO*, those MESOS_* that are meant for others
// (MESOS_SANDBOX, MESOS_HTTP_COMMAND_EXECUTOR, MESOS_NATIVE_*), the address of
// libprocess' own server (LIBPROCESS_IP and _PORT), and all variables of the
// task. PATH is set, not passed on.
func allowedNames() []string {
	return []string{
		"MESOS_FRAMEWORK_ID",
		"MESOS_EXECUTOR_ID",
		"MESOS_SLAVE_ID",
		"MESOS_SLAVE_PID",
		"MESOS_AGENT_ENDPOINT",
		"MESOS_DIRECTORY",
		"MESOS_CHECKPOINT",
		"MESOS_RECOVERY_TIMEOUT",
		"MESOS_SUBSCRIPTION_BACKOFF_MAX",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
		"MESOS_EXECUTOR_AUTHENTICATION_TOKEN",
		"MESOS_DOMAIN_SOCKET",

		// TLS settings of libprocess that matter to a client
		// (3rdparty/libprocess/src/openssl.hpp). Operators pass them on with
		// the agent's --executor_environment_variables.
		"LIBPROCESS_SSL_ENABLED",
		"LIBPROCESS_SSL_SUPPORT_DOWNGRADE",
		"LIBPROCESS_SSL_CERT_FILE",
		"LIBPROCESS_SSL_KEY_FILE",
		"LIBPROCESS_SSL_VERIFY_CERT",
		"LIBPROCESS_SSL_VERIFY_SERVER_CERT",
		"LIBPROCESS_SSL_REQUIRE_CERT",
		"LIBPROCESS_SSL_REQUIRE_CLIENT_CERT",
		"LIBPROCESS_SSL_VERIFICATION_DEPTH",
		"LIBPROCESS_SSL_VERIFY_DEPTH", // as docs/ssl.md has it
		"LIBPROCESS_SSL_VERIFY_IPADD",
		"LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME",
		"LIBPROCESS_SSL_CA_DIR",
		"LIBPROCESS_SSL_CA_FILE",
		"LIBPROCESS_SSL_CIPHERS",
		"LIBPROCESS_SSL_ECDH_CURVE", // as docs/ssl.md has it
		"LIBPROCESS_SSL_ECDH_CURVES",
		"LIBPROCESS_SSL_ENABLE_SSL_V3",
		"LIBPROCESS_SSL_ENABLE_TLS_V1_0",
		"LIBPROCESS_SSL_ENABLE_TLS_V1_1",
		"LIBPROCESS_SSL_ENABLE_TLS_V1_2",
		"LIBPROCESS_SSL_ENABLE_TLS_V1_3",
	}
}

// CleanEnviron returns the environment with which the executor executes itself
// before it does anything else, and whether that differs from env. A second
// call with the result changes nothing, so the process does it once.
//
// Order is kept; PATH comes last, always with the same value. Of a name that
// appears more than once the first entry counts, as for getenv(3) and the Go
// runtime, except that MESOS_* entries with different values all stay, for
// [AgentFromEnviron] to refuse them. env is not modified.
//
// With legacySSL, variables that libprocess accepts under their name of before
// Mesos 1.0 get the present one, SSL_ENABLED becoming LIBPROCESS_SSL_ENABLED,
// unless that is there as well. That is for custom mode. In drop-in mode they
// are dropped: the environment is the task's too, where an application's own
// SSL_ENABLED or SSL_CERT_FILE is common (MESOS-5863).
func CleanEnviron(env []string, legacySSL bool) (clean []string, changed bool) {
	allowed := allowedNames()
	first := map[string]string{}
	for _, entry := range env {
		if legacySSL {
			entry = presentName(entry, env)
		}
		name, value, ok := strings.Cut(entry, "=")
		if !ok || !slices.Contains(allowed, name) {
			continue
		}
		known, seen := first[name]
		if !seen {
			first[name] = value
		}
		conflict := seen && known != value && strings.HasPrefix(name, "MESOS_")
		if !seen || conflict && !slices.Contains(clean, entry) {
			clean = append(clean, entry)
		}
	}
	clean = append(clean, safePath)
	return clean, !slices.Equal(clean, env)
}

// presentName gives a variable of libprocess its present name, if env has no
// variable of that name.
func presentName(entry string, env []string) string {
	present := "LIBPROCESS_" + entry
	name, _, _ := strings.Cut(present, "=")
	taken := func(other string) bool { return strings.HasPrefix(other, name+"=") }
	if strings.HasPrefix(entry, "SSL_") && !slices.ContainsFunc(env, taken) {
		return present
	}
	return entry
}
