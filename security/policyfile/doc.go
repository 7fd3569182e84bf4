// Package policyfile reads policy.yaml, the file of the host's security team, and makes of it the [security.Policy] for the identity of a
// task. It owns the file's form: its keys, units and layers, what it must not say, and the text of the built-in policy
// ([Default]). What the rules do is package security's; the keys of the rules are the JSON names of [security.Rules], found by
// reflection, so that a new rule is a new key.
//
// # Fail closed
//
// The file is root's, and nobody else may write to it ([Load]). A file that is missing at its default path means the built-in policy.
// One that was named and is not there, cannot be read, could have been written by others or has one mistake, however small, is no
// policy: there is no [File] then, and whoever asked starts no task. Nothing is skipped, guessed or taken from an older version.
// An entry of break_glass whose day has passed is no mistake; it grants nothing any more, and [File.Notes] say so.
//
// # Layers
//
// What a task gets is the built-in rules, on them what "defaults" writes, on them the rules of the first entry of "identities" that the
// task's identity matches, on them the profile that it asks for, if that entry lists it. A key that a layer does not write is
// inherited. A value replaces the inherited one, and so does a list, but for these:
//
//   - a list of texts whose elements all begin with '+' adds them to the inherited list: [+NET_RAW]; some with and some without is an
//     error;
//   - a list of entries (host_paths, volumes, devices, log_drivers) adds where its key begins with '+': "+host_paths:";
//   - the names in a map (ulimits, seccomp_profiles) are merged into the inherited ones; "none" takes one away, {} all of them.
//
// To take single elements of a list away, the list is written out.
//
// What only break_glass can lift (unconfined profiles, the host's PID, IPC and user namespaces, the engine's sockets) is an error in
// every other section, and privileged containers are in all of them. An entry of break_glass applies to the identities that it
// matches, beside whatever layers they have; if several apply, a task gets what any of them lifts, for all of their reasons, and
// the findings name the earliest of their days.
//
// # Identity
//
// An identity that the agent does not vouch for (not [security.Identity.Trusted]) matches no entry: it gets the defaults. App IDs
// count only for the principals that the file marks with app_id_trusted. In a pattern '*' stands for any number of characters but
// '/', and "/**" at the end for everything below; in app_ids '*' stands for one whole segment. An empty principal, role or app ID
// matches nothing.
//
// # Concurrency
//
// [Load] reads the file and the seccomp profiles that it names, all of bounded size, never waits for a writer, and keeps nothing open.
// [Parse] and all else are pure. A [File] is immutable; its methods may be called from any goroutine. Nothing here survives a crash or
// has to: each executor reads the file once, for its one task.
package policyfile
