// Package agenttls is the TLS of the connection to the Mesos agent: the files,
// the versions and ciphers, and the judgement on the agent's certificate. Its
// rules are at least those of libprocess' clients (Flags, reinitialize, verify
// and configure_socket in 3rdparty/libprocess/src/openssl.cpp of Mesos).
//
// # What is verified
//
// Without [Options.Verify], as in Mesos by default, nothing: the connection is
// encrypted to whoever answers. With it, before a byte of ours is sent, the
// certificate has to lead to a trusted authority within Options.Depth, be
// within its dates, be meant for servers, and name the agent: by
// Options.ServerName, or by the address of the connection
// (Options.VerifyAddress), or by the name that a reverse lookup of that address
// gives (Options.ReverseName, the "legacy" scheme of libprocess, which trusts
// the DNS). Unlike libprocess, a lookup that fails accepts nothing.
//
// # Files
//
// [New] reads all files once. Each has to be a regular file of root's that
// nobody else may write to, of at most 1 MiB, in folders that are root's alone
// (package rootpath); symbolic links are followed, and what they lead to is what
// is looked at.
//
// The paths may come from a task (Options.Pinned is false then): its variables
// reach the executor, a root process, in drop-in mode. Hence nothing is opened
// for reading before it is known to be a regular file, since opening a device
// such as a watchdog has effects; no content appears in an error, and an error
// about such a path is the same whatever is there. What is left to such a task:
// to switch the verification of its own agent off, to have the executor
// authenticate to the task's own endpoint with a key of root's, and to learn
// whether a path leads to something that can be used. An operator closes that
// with agent.tls in config.yaml, which replaces all of the environment's
// settings.
//
// # Not done
//
// No downgrade to plain HTTP, which libprocess' clients do with
// LIBPROCESS_SSL_SUPPORT_DOWNGRADE: whoever can break a handshake would get the
// executor's token. No TLS before 1.2, no session resumption, no HTTP/2.
//
// # Concurrency
//
// A [Client] does not change; any goroutine may use it. [Client.Secure] blocks
// for a handshake, and for a reverse lookup of at most 2 s before it.
package agenttls
