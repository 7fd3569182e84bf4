// Package classes reads classes.yaml, the register of the network team: which app of which team in which cluster has which net_cls
// class ID, and by what identity a task is known to be of an app. It owns the file's form and checks, and the spellings of class IDs
// ([ParseID]). Giving a class to a container is package cgroupnet's; this one touches no cgroup.
//
// # The scheme
//
// A class ID has 32 bits, 0xAAAABBBB. The major AAAA is one team in one cluster, and the handle of its qdisc in tc(8); the minor BBBB is
// an app of that team. No two teams of the file share a major, whatever their clusters, and no two apps a class. The minor 1 is the
// team's default, 2 to 0xff are kept for later, apps begin at 0x100. Major and minor are neither 0 (a minor of 0 is the qdisc
// itself) nor 0xffff (TC_H_ROOT and TC_H_INGRESS, linux/pkt_sched.h). IDs are given out by hand, one line each, and not by a
// hash: of 300 apps hashed to 16 bits, two collide more often than not. An ID that is not used any more is retired, and never
// given to another app while logs and rules may still name it.
//
// # Fail closed
//
// The file is root's, and nobody else may write to it ([Load]). A file that is missing at its default path means that class IDs are off.
// One that was named and is not there, cannot be read, could have been written by others or has one mistake anywhere, be it in
// another cluster's teams, is none: there is no [Registry] then, and whoever asked starts no task.
//
// # Identity
//
// The first entry of the cluster's "identities" that matches a task says its team, and may say its app; if it does not, the app
// is the one whose name is the task's Marathon app ID. An identity that the agent does not vouch for (not [Identity.Trusted]) matches
// no entry. App IDs count only for the principals that the file marks with app_id_trusted. In a pattern '*' stands for any number of
// characters but '/', and "/**" at the end for everything below; in app_ids '*' stands for one whole segment. An empty
// principal, role or app ID matches nothing. All of this is as in policy files, and is read by the same code (internal/rulefile).
//
// # Concurrency and memory
//
// [Load] reads one file of bounded size, never waits for a writer, and keeps nothing open. [Parse] and all else are pure. A [Registry] is
// immutable; its methods may be called from any goroutine. What the methods return shares no memory with the registry, so that
// an executor can load it, ask once for its one task, and drop it. Nothing here survives a crash or has to.
package classes
