// Package security decides whether a container may be created at all, and with which rights.
//
// Its input is a [Spec]: the very structs that the Docker API takes, filled from a TaskInfo, plus the origin of each
// value. Its output is a [Decision]: the same structs as they are to be sent, and a [Finding] for everything that was
// allowed, trimmed, forced or rejected.
//
// [Policy.Review] is built so that forgetting something is safe. Each rule takes the fields that it understands out of
// a deep copy of the input and writes what may be sent into an empty Spec. A field that no rule took is neither sent
// nor dropped: if it holds anything, it is a rejection that names it. A field that a later Docker version adds is
// therefore rejected until somebody writes a rule for it.
//
// What differs between policies is a value, [Rules]; [New] and [FromFile] make a [Policy] of it, [BuiltIn] the one that holds
// when the operator gave none. What no policy may allow is in the rules' code and not in their data; that is why it
// holds in [Audit] mode, too, in which the data, but for denied paths and the limit of processes, count for nothing but findings.
// [BreakGlass] are the exceptions.
//
// The package owns the policy and the capability sets. It knows nothing of Mesos or of the executor: origins and field
// values are plain strings to it. Everything here is a pure function of its arguments: nothing blocks, nothing is
// read from the host, nothing survives a crash, and all of it may be called from any goroutine. A Policy is immutable.
package security
