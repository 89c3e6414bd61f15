package push_test

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"carillon/app/push/apnstest"

	"github.com/sideshow/apns2"
)

// spread runs do b.N times on 1, 100 and 500 goroutines.
func spread(b *testing.B, do func()) {
	b.Helper()
	do() // the connection is warm
	for _, concurrency := range []int{1, 100, 500} {
		b.Run(strconv.Itoa(concurrency), func(b *testing.B) { spreadOver(b, concurrency, do) })
	}
}

func spreadOver(b *testing.B, concurrency int, do func()) {
	var left atomic.Int64
	left.Store(int64(b.N))
	before := cpu()
	b.ResetTimer()
	var group sync.WaitGroup
	for range concurrency {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				do()
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "push/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/push")
}

// cpu is the CPU time of this process, which is both client and server.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSender(b *testing.B) {
	a := apple(b, apnstest.Config{Keep: -1})
	s, k := sender(b, a, nil), key(b, a, team, kid, nil)
	p := ring(b, time.Hour)
	spread(b, func() {
		if w := s.Push(b.Context(), k, p); !w.OK() {
			b.Error(w.Err, w.Status, w.Reason)
		}
	})
}

func BenchmarkBareAPNs2(b *testing.B) {
	a := apple(b, apnstest.Config{Keep: -1})
	known, p8, err := apnstest.NewKey(team, kid)
	if err != nil {
		b.Fatal(err)
	}
	if err := a.Register(known); err != nil {
		b.Fatal(err)
	}
	c, err := apnstest.Bare(a.URL(apnstest.Production), a.CAPool(), team, kid, p8)
	if err != nil {
		b.Fatal(err)
	}
	defer c.CloseIdleConnections()
	p := ring(b, time.Hour)
	n := &apns2.Notification{
		ApnsID: p.APNsID, DeviceToken: strings.ToLower(p.Token), Topic: p.Topic, Payload: p.Payload,
		Priority: 10, PushType: apns2.PushTypeVOIP,
	}
	spread(b, func() {
		if w, err := c.PushWithContext(b.Context(), n); err != nil || !w.Sent() {
			b.Error(w, err)
		}
	})
}
