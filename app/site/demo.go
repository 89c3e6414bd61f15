package site

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/views"
)

// Voice carries the demo's calls. *gateway.Gateway does.
type Voice interface {
	Check(sdp string, wanted []gateway.Codec) error
	Answer(context.Context, gateway.Offer) (gateway.Answer, error)
	HangUp(call string, reason gateway.EndReason)
}

// DemoTime is how long a call of the demo may last.
const DemoTime = time.Minute

// The seats of the demo. A stranger's call costs as much as a customer's, so that it must never
// crowd one out. One network, also a whole /24, /56 or /48, has few seats, and only one of the last
// ones: until at least six networks have calls, a visitor from another network finds a seat.
const (
	demosAtOnce     = 10
	demosPerNetwork = 3
	demosLast       = 4 // seats for networks that have no call
)

// The rates of calls of the demo, and of asking for the servers of one: those hold credentials of
// the operator's relay.
var (
	networkDemos = tenants.Rate{Of: "network", Every: 20 * time.Second, Burst: 4, Says: demoTooOften}
	widerDemos   = tenants.Rate{Of: "network", Every: 7 * time.Second, Burst: 8, Says: demoTooOften}
	allDemos     = tenants.Rate{Of: "all", Every: time.Second, Burst: 30, Says: demoFull}
	networkICE   = tenants.Rate{Of: "ICE network", Every: 20 * time.Second, Burst: 4, Says: demoTooOften}
	widerICE     = tenants.Rate{Of: "ICE network", Every: 7 * time.Second, Burst: 8, Says: demoTooOften}
)

// demos are the calls of the demo that are up, and who may start one.
type demos struct {
	now    func() time.Time
	nodes  func() int
	limits tenants.RateLimiter

	mu    sync.Mutex          // guards both
	up    map[string][]string // the networks of a call
	seats map[string]int      // the calls of a network
}

// newDemos shares the seats and rates with the other nodes: each gives out its part, at least one.
func newDemos(now func() time.Time, nodes func() int) *demos {
	return &demos{now: now, nodes: nodes, limits: tenants.RateLimiter{Nodes: nodes}, up: map[string][]string{}, seats: map[string]int{}}
}

// take lets a call in, or says how long to wait.
func (d *demos) take(ip string) error {
	return d.limits.Admit(d.now(), "demo_busy", append(web.NetworkRates(ip, networkDemos, widerDemos), allDemos)...)
}

// takeICE lets somebody ask for servers, or says how long to wait.
func (d *demos) takeICE(ip string) error {
	return d.limits.Admit(d.now(), "demo_busy", web.NetworkRates(ip, networkICE, widerICE)...)
}

// add seats a call, or refuses when its networks or all have as many as they may.
func (d *demos) add(id, ip string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	part := func(seats int) int { return max(1, seats/d.nodes()) }
	networks, most := append(web.WiderNetworks(ip), web.Network(ip)), part(demosPerNetwork)
	if part(demosAtOnce)-len(d.up) <= part(demosLast) {
		most = 1
	}
	says := ""
	for _, n := range networks {
		if d.seats[n] >= most {
			says = demoNetworkFull
		}
	}
	if len(d.up) >= part(demosAtOnce) {
		says = demoFull
	}
	if says != "" {
		return &tenants.Error{Kind: tenants.TooMany, Code: "demo_busy", Msg: says, RetryAfter: 15 * time.Second}
	}
	d.up[id] = networks
	for _, n := range networks {
		d.seats[n]++
	}
	return nil
}

func (d *demos) drop(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.up[id] {
		if d.seats[n]--; d.seats[n] == 0 {
			delete(d.seats, n)
		}
	}
	delete(d.up, id)
}

func (d *demos) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, up := d.up[id]
	return up
}

// guest is an agent that leaves when its time is over, by the clock of the server.
type guest struct {
	agent gateway.Agent
	stays time.Duration
}

// Codecs returns those of the agent.
func (g guest) Codecs() []gateway.Codec { return g.agent.Codecs() }

// Converse ends well at the limit: that is no fault of the agent.
func (g guest) Converse(ctx context.Context, l gateway.Line) error {
	limit, cancel := context.WithTimeout(ctx, g.stays)
	defer cancel()
	err := g.agent.Converse(limit, l)
	if limit.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// Gap passes on that the phone is away or back.
func (g guest) Gap(l gateway.Line, away bool) {
	if a, ok := g.agent.(gateway.Gapped); ok {
		a.Gap(l, away)
	}
}

// Warn passes the warning on to an agent that wants it.
func (g guest) Warn(l gateway.Line, left time.Duration) {
	if w, ok := g.agent.(gateway.Warned); ok {
		w.Warn(l, left)
	}
}

func (s *Site) demo(ctx context.Context, c *fiber.Ctx) error {
	ice := ""
	if s.DemoICE != nil {
		ice = views.PathDemoICE
	}
	return web.Page(c, views.Demo(views.DemoPage{Front: s.front(ctx, c, demoHeading),
		Seconds: int(s.DemoTime.Round(time.Second).Seconds()), ICE: ice, Off: s.Voice == nil, Closed: s.DemoClosed, Agent: s.DemoName}),
		fiber.StatusOK)
}

// iceServer is one entry of an RTCConfiguration's iceServers.
type iceServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// demoICE gives the servers for one call that is about to be made. They are not in the page:
// a reader such as a search engine would hold credentials of the operator's relay.
func (s *Site) demoICE(_ context.Context, c *fiber.Ctx) error {
	if s.Voice == nil || s.DemoICE == nil {
		return web.Problem(c, tenants.NoSuch("page"))
	}
	if err := s.demos.takeICE(web.IP(c)); err != nil {
		return web.Problem(c, err)
	}
	list := []iceServer{}
	for _, s := range s.DemoICE() {
		list = append(list, iceServer{s.URLs, s.Username, s.Credential})
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(struct {
		ICEServers []iceServer `json:"ice_servers"`
	}{list})
}

// answerDemo answers an offer by a call to the built-in agent. What it refuses is read by a script,
// so that it is a problem document.
func (s *Site) answerDemo(ctx context.Context, c *fiber.Ctx) error {
	answer, id, err := s.callDemo(ctx, c)
	if err != nil {
		return web.Problem(c, refusedOffer(err))
	}
	c.Set(fiber.HeaderLocation, views.DemoCallPath(id))
	c.Response().Header.SetContentType("application/sdp")
	return c.Status(fiber.StatusCreated).SendString(answer.SDP)
}

func (s *Site) callDemo(ctx context.Context, c *fiber.Ctx) (a gateway.Answer, id string, err error) {
	if s.DemoClosed {
		return a, "", errDemoClosed
	}
	if s.Voice == nil {
		return a, "", errNoVoice
	}
	kind, _, _ := strings.Cut(web.Header(c, fiber.HeaderContentType), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/sdp") {
		return a, "", errNotSDP
	}
	if err := s.demos.take(web.IP(c)); err != nil {
		return a, "", err
	}
	sdp, agent := string(c.Body()), s.Agent()
	if err := s.Voice.Check(sdp, agent.Codecs()); err != nil {
		return a, "", err
	}
	id = "demo-" + page.NewToken()
	if err := s.demos.add(id, web.IP(c)); err != nil {
		return a, "", err
	}
	a, err = s.Voice.Answer(ctx, gateway.Offer{Call: id, Leg: id, SDP: sdp, Agent: guest{agent, s.DemoTime}, On: func(e gateway.Event) {
		if e.Kind == gateway.Ended {
			s.demos.drop(id)
		}
	}})
	if err != nil {
		s.demos.drop(id)
	}
	return a, id, err
}

// refusedOffer says a refusal of the gateway in the words of a page.
func refusedOffer(err error) error {
	var r *gateway.Refused
	if !errors.As(err, &r) {
		return err
	}
	kind := tenants.Unprocessable
	switch r.Reason {
	case gateway.TooLarge:
		kind = tenants.TooLarge
	case gateway.BadOffer:
		kind = tenants.Invalid
	case gateway.Full, gateway.ShuttingDown:
		kind = tenants.Unavailable
	}
	return &tenants.Error{Kind: kind, Code: string(r.Reason), Msg: r.Msg, Err: err}
}

// hangUpDemo ends a call of the demo, and no other one. Only its caller knows its name.
func (s *Site) hangUpDemo(_ context.Context, c *fiber.Ctx) error {
	id := web.Param(c, "id")
	if s.Voice == nil || !s.demos.has(id) {
		return web.Problem(c, tenants.NoSuch("call"))
	}
	s.Voice.HangUp(id, gateway.PhoneHungUp)
	return c.SendStatus(fiber.StatusNoContent)
}
