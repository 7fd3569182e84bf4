package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/cgroupnet/firewall"
)

func classesRulesCommand() *cli.Command {
	return &cli.Command{
		Name:  "rules",
		Usage: "print firewall rules by class, for nft or iptables",
		Description: "The rules are for the classes of the cluster that the file is for; --cluster takes another, --team one of its teams, --app\n" +
			"single apps of it. They are complete, and have an nft table or iptables chains of their own, which loading them replaces: their\n" +
			"first lines say how to load and how to remove them. Nothing is loaded here. They are for the host network, or, loaded in\n" +
			"a container's network namespace, for that container: the host's own chains do not see the class of a bridged one.\n\n" +
			"--rules says which: count (packets and bytes of each class, with nft also of each team), mark (of packets: the sender's\n" +
			"class), ctmark (of connections: the initiator's), log and nflog (packets that open a connection, to the kernel log or to the\n" +
			"netlink group --group). None of them ends a packet's way. --drop-to and --allow-to do, for connections that these classes open\n" +
			"to one of these addresses, or to any but these, of IPv4 and IPv6. Rule sets with different --name are in force side by side.\n\n" +
			"What no rule sees, and who else uses marks: docs/firewall.md. It needs no root, and works on macOS too.\n\n" +
			"Exit status: 0 printed, 1 there is no file, or the output cannot be written, 2 usage, or the file cannot be read.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor classes rules --classes docs/classes/two-clusters.yaml\n" +
			"   mesos-docker-executor classes rules --classes docs/classes/two-clusters.yaml --format iptables --rules count,nflog --team data\n" +
			"   mesos-docker-executor classes rules --classes docs/classes/two-clusters.yaml --team web --name web --allow-to 10.0.0.0/8 --reject",
		Flags: []cli.Flag{
			classesFlag(),
			&cli.StringFlag{Name: "format", Value: string(firewall.NFT), Usage: "`FORMAT`: nft or iptables"},
			clusterFlag("the one that the file is for"),
			&cli.StringFlag{Name: "team", DefaultText: "all", Usage: "`TEAM` of the cluster, or CLUSTER/TEAM"},
			&cli.StringSliceFlag{Name: "app", DefaultText: "all", Usage: "`APP` of the team, without the team's other classes; may be repeated"},
			&cli.StringFlag{Name: "rules", Value: "count", Usage: "`LIST` of " + strings.Join(ruleWords(), ", ") + ", with commas; none for no such rules"},
			&cli.UintFlag{Name: "group", Value: 5, Usage: "netlink `GROUP` of nflog, 0 to 65535"},
			&cli.StringSliceFlag{Name: "drop-to", Usage: "`ADDRESS` or network to which no connection may be opened; may be repeated"},
			&cli.StringSliceFlag{Name: "allow-to", Usage: "`ADDRESS` or network, the only ones to which connections may be opened; may be repeated"},
			&cli.BoolFlag{Name: "reject", DisableDefaultText: true, Usage: "refuse with ICMP, which an app sees at once, instead of dropping"},
			&cli.StringFlag{Name: "name", Value: "classes", Usage: "`NAME` of this rule set, for several at a time"},
		},
		OnUsageError: usageError,
		Action:       classesAction(classesRules),
	}
}

func classesRules(c *cli.Context, r readClasses) error {
	rules, err := rulesFlagged(c, r)
	if err != nil {
		return classesError(c, err)
	}
	// Checked before anything is written: half a rule set is none.
	if err := rules.Print(io.Discard, firewall.Format(c.String("format"))); err != nil {
		return classesError(c, err)
	}
	_ = rules.Print(c.App.Writer, firewall.Format(c.String("format"))) // the writer keeps the error
	if n := countClasses(rules.Teams); c.String("format") == string(firewall.IPTables) && n > manyForIPTables {
		say(fmt.Sprintf("classes rules: warning: a packet of the last of these %d classes passes as many rules, which takes some 0.1 us each; print single teams or apps with --team or --app, or use nft, which finds any of them at once", n))
	}
	r.warn(c)
	return nil
}

// manyForIPTables is the number of classes with which iptables takes ten times as long for a packet as without: see docs/firewall.md.
const manyForIPTables = 500

func countClasses(teams []firewall.Team) int {
	n := 0
	for _, t := range teams {
		n += len(t.Classes)
	}
	return n
}

// rulesFlagged are the rules that the flags ask for.
func rulesFlagged(c *cli.Context, r readClasses) (firewall.Rules, error) {
	rules := firewall.Rules{
		Name: c.String("name"), Source: r.Name() + ", sha256 " + r.Digest(),
		Group: uint16(c.Uint("group")), Reject: c.Bool("reject"),
	}
	if c.Uint("group") > 0xffff {
		return rules, fmt.Errorf("--group: %d is more than 65535", c.Uint("group"))
	}
	var err error
	if rules.Teams, err = rulesTeams(c, r); err != nil {
		return rules, err
	}
	if rules.Whole = len(c.StringSlice("app")) == 0; !rules.Whole {
		if rules.Teams, err = onlyApps(rules.Teams, c.StringSlice("app")); err != nil {
			return rules, err
		}
	}
	if err := chooseRules(&rules, c.String("rules")); err != nil {
		return rules, err
	}
	var dropErr, allowErr error
	rules.DropTo, dropErr = networks("--drop-to", c.StringSlice("drop-to"))
	rules.AllowTo, allowErr = networks("--allow-to", c.StringSlice("allow-to"))
	if rules.Reject && len(rules.DropTo)+len(rules.AllowTo) == 0 {
		return rules, errors.New("--reject: nothing is refused without --drop-to or --allow-to")
	}
	return rules, errors.Join(dropErr, allowErr)
}

// rulesTeams are the teams of one cluster, or one of them, each with all of its classes.
func rulesTeams(c *cli.Context, r readClasses) ([]firewall.Team, error) {
	named, err := teamFlagged(c, r)
	if err != nil {
		return nil, err
	}
	named.cluster = orOwn(named.cluster, r)
	if named.team != "" {
		t, err := teamOf(r, named)
		if err != nil {
			return nil, err
		}
		return []firewall.Team{rulesTeam(t)}, nil
	}
	var teams []firewall.Team
	for _, t := range r.Teams() {
		if t.Cluster == named.cluster {
			teams = append(teams, rulesTeam(t))
		}
	}
	return teams, nil
}

func rulesTeam(t classes.Team) firewall.Team {
	team := firewall.Team{Cluster: t.Cluster, Name: t.Name, Major: t.Major, Classes: []firewall.Class{{ID: uint32(t.Default)}}}
	for _, app := range t.Apps {
		team.Classes = append(team.Classes, firewall.Class{ID: uint32(app.ID), App: app.Name})
	}
	// A task that was started before its app was retired still has the class.
	for _, app := range t.Retired {
		team.Classes = append(team.Classes, firewall.Class{ID: uint32(app.ID), App: app.Name, Retired: true})
	}
	return team
}

// onlyApps leaves the apps of these names; each has to be there.
func onlyApps(teams []firewall.Team, apps []string) ([]firewall.Team, error) {
	var some []firewall.Team
	var known []string
	found := map[string]bool{}
	for _, t := range teams {
		t.Classes = slices.DeleteFunc(t.Classes, func(class firewall.Class) bool {
			if class.App == "" || !slices.Contains(apps, class.App) {
				if class.App != "" {
					known = append(known, class.App)
				}
				return true
			}
			found[class.App] = true
			return false
		})
		if len(t.Classes) > 0 {
			some = append(some, t)
		}
	}
	for _, app := range apps {
		if !found[app] {
			return nil, unknownName("--app", "app", app, "these teams", known)
		}
	}
	return some, nil
}

// ruleWords are what --rules takes.
func ruleWords() []string { return []string{"count", "mark", "ctmark", "log", "nflog"} }

func chooseRules(rules *firewall.Rules, list string) error {
	if list == "none" {
		return nil
	}
	for word := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(word) {
		case "count":
			rules.Count = true
		case "mark":
			rules.Mark = true
		case "ctmark":
			rules.CTMark = true
		case "log":
			rules.Log = true
		case "nflog":
			rules.NFLog = true
		default:
			return fmt.Errorf("--rules: %q is none of %s; drop and allow are the flags --drop-to and --allow-to", word, strings.Join(ruleWords(), ", "))
		}
	}
	return nil
}

// networks reads addresses and networks.
func networks(flag string, words []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, word := range words {
		p, err := netip.ParsePrefix(word)
		if addr, addrErr := netip.ParseAddr(word); addrErr == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %q is neither an address nor a network; write such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32", flag, word)
		case p.Addr().Is4In6() && p.Bits() >= 96:
			return nil, fmt.Errorf("%s: %q is IPv4 in the form of IPv6; write %s", flag, word, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96))
		case p != p.Masked():
			return nil, fmt.Errorf("%s: %q has bits behind its prefix; write %s for the network, or %s for the address", flag, word, p.Masked(), p.Addr())
		}
		list = append(list, p)
	}
	return list, nil
}
