// Package trust finds out whether the agent that the executor was told to talk
// to is the agent that started it.
//
// The executor learns its agent's address from its environment, and in drop-in
// mode the task's variables are part of that: a task can name a server of its
// own, which would then say which role the task has and who its framework is.
// So an address is trusted only if the operator pinned it in config.yaml, or if
// the socket that listens there belongs to an ancestor of this process: the
// parent in drop-in mode, the parent's parent in custom mode, where
// mesos-containerizer stands between. No task's process is an ancestor of its
// executor. (A framework that names the executor's command line in custom mode
// can have it started by a process of its own; but that runs as root on the host
// without any review, and needs no such trick.) Process 1 does not count: it
// adopts the children of the dead, and may listen for anybody.
//
// An address that is not trusted is served all the same; what depends on who is
// asking has to look at the [Verdict].
//
// # What it reads
//
// For TCP: the listening sockets of this network namespace (sock_diag(7), or
// where there is none /proc/self/net/tcp and tcp6, proc_pid_net(5)) and the open
// files of the ancestors (/proc/<pid>/fd). Not seen is what redirects a
// connection on its way, such as a rule of netfilter, which only root can set.
//
// For a Unix socket: who called listen(2), by SO_PEERCRED (unix(7)) on a
// connection that carries nothing, and by SO_PEERPIDFD (Linux 6.5) that this
// process lives; before, that it has the socket open. The session makes
// connections of its own, now and after each restart of the agent, when nobody's
// ancestors tell anything. They end at the same place because only root can
// change where the path leads: [AtSocket] follows symbolic links once, for both,
// and trusts no path that is not root's alone (package rootpath).
//
// # Concurrency
//
// [Begin] starts one goroutine. It ends within few milliseconds normally, and 2 s
// after the connection to a Unix socket began if nobody answers; but reading
// /proc cannot be interrupted, nor the lookup of a path where a file system
// hangs, so nothing waits for it without a context of its own
// ([Check.Verdict], from any goroutine and any number of times). Begin has to be
// called while the parent lives: after a restart of the agent nothing can be
// found out any more. The verdict is about the start, when the task is decided
// on; who takes the port of an agent that is down is not looked at again.
package trust
