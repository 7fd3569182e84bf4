package storage

import "context"

// Admit answers whether a container may be started on this engine: the driver's verdict, and that over the head-room of all its filesystems. It
// looks at them for [LookLimit] at most; sandbox may be empty. The rooms are for samples and for reports. The error is a
// [*BadAnswerError], or ctx's cause if it has ended.
func (s Settings) Admit(ctx context.Context, l *Looker, e Engine, sandbox string, need Need) (Verdict, []Room, error) {
	v, err := s.Rules.Judge(e)
	if err != nil {
		return Verdict{}, nil, err
	}
	rooms := append(l.Look(ctx, LookLimit, Places(e, s.ContainerdRoot, sandbox)), Pools(e)...)
	if ctx.Err() != nil {
		return Verdict{}, nil, context.Cause(ctx)
	}
	v.Add(s.Thresholds.Judge(rooms, need))
	return v, rooms, nil
}
