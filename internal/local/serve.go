package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/console"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/schedule/localscheduler"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/site"
)

const serveExplains = `serve starts the console and the API on this machine, follows the schedules, and
takes HubSpot's webhooks on WEBHOOK_URL. It listens where REDIRECT_URL leads, which
is registered in the HubSpot app. Gainsight's tenant may be entered on the page
Settings. With -demo both vendors are simulated, in real time.
`

// serveCommand serves until it is stopped.
func serveCommand(ctx context.Context, args []string, out io.Writer) error {
	set := flags("serve", serveExplains, out)
	dir := set.String("data", "", "data folder (default "+dataDir()+", of the demo a new temporary one)")
	simulate := set.Bool("demo", false, "simulate both vendors")
	quiet := set.Bool("no-browser", false, "do not open the console in the browser")
	read := settingsBy(set, connector.ReadServed)
	if _, err := set.parse(args, 0); err != nil {
		return err
	}
	var (
		s   connector.Settings
		v   vendors
		sim *simulation
		err error
	)
	if *simulate {
		if sim, err = newSimulation(cmp.Or(set.Lookup(flagName("REDIRECT_URL")).Value.String(), given("REDIRECT_URL"), demoRedirect)); err != nil {
			return err
		}
		defer sim.close()
		s, v = sim.settings, sim.vendors
		if *dir == "" {
			if *dir, err = os.MkdirTemp("", "hubspot-gainsight-serve-"); err != nil {
				return fault.Wrap(err, fault.Invalid, "No temporary folder can be made. Choose one with -data.")
			}
			defer func() { _ = os.RemoveAll(*dir) }() // the simulated accounts are gone, too
		}
	} else if s, err = read(); err != nil {
		return err
	}
	*dir = cmp.Or(*dir, dataDir())
	return serveFolder(ctx, *dir, s, v, sim, !*quiet, out)
}

// serveFolder serves what lies in a data folder. sim may be nil.
func serveFolder(ctx context.Context, dir string, s connector.Settings, v vendors, sim *simulation, browse bool, out io.Writer) error {
	back, err := url.Parse(s.HubSpot.RedirectURL)
	if err != nil || !onThisMachine(back) {
		return errNotHere
	}
	s.PublicURL = cmp.Or(s.PublicURL, "http://"+back.Host)
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", loopback(back))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "This machine cannot listen on %s, where REDIRECT_URL leads. End the program that uses the port, or choose another REDIRECT_URL and register it in the HubSpot app.", loopback(back))
	}
	defer func() { _ = listener.Close() }()
	v.scheduler = &localscheduler.Scheduler{Now: v.now, Sleep: v.sleep}
	sys, closeAll, err := open(dir, s, v)
	if err != nil {
		return err
	}
	defer closeAll()
	log, file, err := logger(dir)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	svc := &admin.Service{Connector: sys.Connector, Machines: sys.Machines, NewID: newIDs(v.now), Now: v.now, Sleep: v.sleep}
	door, link := signin.NewLink(signin.Config{
		PublicURL: "http://" + back.Host, Now: v.now, Explain: console.Explain,
		SessionKey: sys.Settings.SessionKey,
	})
	token, forget, err := keepToken(dir)
	if err != nil {
		return err
	}
	defer forget()
	door.TakeToken(token)
	if err := greet(ctx, svc, link, filepath.Join(dir, tokenFile), sim, out); err != nil {
		return err
	}
	if browse {
		openBrowser(ctx, link)
	}
	defer say(out, "Stopped. Runs that were going on are offered for resume when the console is started again.\n")
	return serveUntil(ctx, listener, handler(svc, door, s, sim, log), sys, v, log)
}

// given is a variable of the environment, "" if it is not set.
func given(name string) string {
	value, _ := serve.Lookup(name)
	return value
}

var errNotHere = fault.New(fault.Invalid, "serve needs a REDIRECT_URL on this machine, such as http://localhost:8976/oauth/callback, as registered in the HubSpot app.")

// onThisMachine reports whether a URL is plain http to this machine.
func onThisMachine(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// greet says where the console is, and what waits there.
func greet(ctx context.Context, svc *admin.Service, link, tokenAt string, sim *simulation, out io.Writer) error {
	_, cut, err := svc.Active(ctx)
	if err != nil {
		return err
	}
	say(out, "Open the console. This link works once:\n  %s\n", link)
	if sim != nil {
		say(out, "HubSpot and Gainsight are simulated. What arrived in Gainsight, and changes to make in HubSpot:\n  %s%s\n", svcOrigin(link), demoPath)
	}
	say(out, "Programs, and commands with -api %s, send the token in\n  %s\n", svcOrigin(link), tokenAt)
	if len(cut) > 0 {
		say(out, "%s cut off. Go on with them on the page Activity.\n", count(len(cut), "execution"))
	}
	say(out, "Ctrl-C ends it.\n")
	return nil
}

func svcOrigin(link string) string {
	origin, _, _ := strings.Cut(link, "/?")
	return origin
}

// handler is everything that is served: the console and the API for those who are
// signed in, and HubSpot's webhooks, which are signed.
func handler(svc *admin.Service, door *signin.Door, s connector.Settings, sim *simulation, log *slog.Logger) http.Handler {
	o := site.Options{Admin: svc, Door: door, Log: log, PublicURL: s.PublicURL, Now: svc.Now}
	if sim != nil {
		o.ForAdmins = map[string]http.Handler{demoPath: sim}
	}
	if u, err := url.Parse(s.Webhook.URL); err == nil && s.Webhook.URL != "" {
		o.Open = map[string]http.Handler{"POST " + cmp.Or(u.Path, "/"): svc.Connector.Webhook}
	}
	return site.New(o)
}

// How often what sweeps do on AWS is done, and how long requests may go on once
// the process is to end.
const (
	keepEvery = time.Hour
	endWithin = 5 * time.Second
)

// keep makes the scheduler follow what is stored, starts what nobody is at, and deletes
// old files. Runs that were cut off are left to the people.
func keep(ctx context.Context, sys *inprocess.System, log *slog.Logger) {
	if err := sys.Sweep.Tend(ctx); err != nil && ctx.Err() == nil {
		log.ErrorContext(ctx, "not everything was tended", "error", err.Error())
	}
	if err := sys.Tidy(ctx); err != nil && ctx.Err() == nil {
		log.ErrorContext(ctx, "old files not deleted", "error", err.Error())
	}
}

// serveUntil serves and starts what is due until the context ends.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler, sys *inprocess.System, v vendors, log *slog.Logger) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	timers := v.scheduler
	timers.Table, timers.Start, timers.Log = sys.Delta.Table, sys.Machines.Start, log
	keep(ctx, sys, log)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fault.Wrap(err, fault.Internal, "The console can no longer be reached. Start it again.")
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer cancel()
		if server.Shutdown(end) != nil {
			_ = server.Close() // requests that did not end in time
		}
		return nil
	})
	group.Go(func() error { return ended(ctx, timers.Run(ctx)) })
	group.Go(func() error {
		ticker := time.NewTicker(keepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
				keep(ctx, sys, log)
			}
		}
	})
	return group.Wait()
}

// ended is nil for what ended because the process is to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was to end
	}
	return err
}
