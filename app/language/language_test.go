package language

import (
	"strings"
	"testing"
)

// made is a small catalogue with every kind of entry.
func made(t testing.TB) *Catalogue {
	t.Helper()
	c, err := New("es", map[string]string{
		"Devices": "Dispositivos", "Settings": "Ajustes", "owner": "propietario", "Search": "Buscar", "optional": "opcional",
		"Name": "Nombre", "Help": "Ayuda", "Open": "Abierto",
		"Ring <1>{text}</1> again.":              "Vuelva a llamar a <1>{text}</1>.",
		"Run <1/> and <2>read on</2>.":           "Para <2>leer más</2>, ejecute <1/>.",
		"{n} devices":                            "{n} dispositivos",
		"{n} of {n2} done":                       "{n} de {n2} listos",
		"Your role ({word}) can’t {text}.":       "Su función ({word}) no puede {text}.",
		"{text} has no phone.":                   "{text} no tiene teléfono.",
		"The trial ends on {date}.":              "La prueba termina el {date}.",
		"It rings.":                              "Suena.",
		"Less than &lt; {n}":                     "Menos de &lt; {n}",
		"Copy {text}":                            "Copiar {text}",
		"Copy secret":                            "Copiar el secreto",
		"Press <1/> to search":                   "Pulse <1/> para buscar",
		"Open the page <1>now</1> & <2>then</2>": "Abra la página <1>ahora</1> y <2>después</2>",
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPage(t *testing.T) {
	t.Parallel()
	c := made(t)
	for _, one := range []struct{ what, page, want string }{
		{"a block", `<p>Devices</p>`, `<p>Dispositivos</p>`},
		{"space around", "<p>\n\t Devices \n</p>", "<p>\n\t Dispositivos \n</p>"},
		{"space within", "<p>It\n\t\trings.</p>", "<p>Suena.</p>"},
		{"nothing known", `<p class=x>Hello <b>you</b>  there</p>`, `<p class=x>Hello <b>you</b>  there</p>`},
		{"order of elements", `<p>Run <code>make</code> and <a href="/x">read on</a>.</p>`,
			`<p>Para <a href="/x">leer más</a>, ejecute <code>make</code>.</p>`},
		{"a name in an element", `<p>Ring <strong>Ana &amp; Bo</strong> again.</p>`,
			`<p>Vuelva a llamar a <strong>Ana &amp; Bo</strong>.</p>`},
		{"an icon at the edge", `<a href="/d"><svg class="icon"><use href="#a"></use></svg> Devices</a>`,
			`<a href="/d"><svg class="icon"><use href="#a"></use></svg> Dispositivos</a>`},
		{"a part of a drawing", `<svg><title>Devices</title><text>Devices</text></svg>`,
			`<svg><title>Dispositivos</title><text>Devices</text></svg>`},
		{"a semicolon", `<p>Devices; Settings</p>`, `<p>Dispositivos; Ajustes</p>`},
		{"a span at the edge", `<label>Name <span class="o">optional</span></label>`,
			`<label>Nombre <span class="o">opcional</span></label>`},
		{"only elements", `<h2><span>Devices</span> <small>Settings</small></h2>`,
			`<h2><span>Dispositivos</span> <small>Ajustes</small></h2>`},
		{"a link around blocks", `<a href="/"><div>Devices</div><p>Settings</p></a>`,
			`<a href="/"><div>Dispositivos</div><p>Ajustes</p></a>`},
		{"a number", `<td>1,204 devices</td>`, `<td>1,204 dispositivos</td>`},
		{"two numbers", `<span>3 of 12 done</span>`, `<span>3 de 12 listos</span>`},
		{"a word", `<p>Your role (owner) can’t ring.</p>`, `<p>Su función (propietario) no puede ring.</p>`},
		{"a name first", `<p>Ana has no phone.</p>`, `<p>Ana no tiene teléfono.</p>`},
		{"sentences", `<p>It rings. Ana has no phone.</p>`, `<p>Suena. Ana no tiene teléfono.</p>`},
		{"a middle point", `<title>Devices · Carillon</title>`, `<title>Dispositivos · Carillon</title>`},
		{"a list that an entry with a hole fits", `<p>Copy secret; Devices</p><p>Copy this; Devices</p>`,
			`<p>Copiar el secreto; Dispositivos</p><p>Copiar this; Devices</p>`},
		{"a list", `<p>Devices, Settings</p>`, `<p>Dispositivos, Ajustes</p>`},
		{"a list with a name", `<p>Devices, Ana</p>`, `<p>Devices, Ana</p>`},
		{"a date in words", `<p>The trial ends on 2 January 2026.</p>`, `<p>La prueba termina el 2 de enero de 2026.</p>`},
		{"a moment", `<time datetime="2026-12-10T15:04:00Z">10 Dec 2026, 15:04</time>`,
			`<time datetime="2026-12-10T15:04:00Z">10 dic 2026, 15:04</time>`},
		{"attributes", `<input type="text" value="Devices" placeholder="Search" aria-label="Devices"/>`,
			`<input type="text" value="Devices" placeholder="Buscar" aria-label="Dispositivos"/>`},
		{"a button's value", `<input type="submit" value="Search">`, `<input type="submit" value="Buscar">`},
		{"the longest entry wins", `<button aria-label="Copy secret">x</button><b title="Copy it">y</b>`,
			`<button aria-label="Copiar el secreto">x</button><b title="Copiar it">y</b>`},
		{"somebody's own", `<h1 translate="no">Devices</h1><p>Ring <span translate="no">Settings</span></p>`,
			`<h1 translate="no">Devices</h1><p>Ring <span translate="no">Settings</span></p>`},
		{"own words with a title", `<td translate="no"><a title="Devices">Devices</a><td>Devices`,
			`<td translate="no"><a title="Devices">Devices</a><td>Devices`},
		{"code", `<pre><code>Devices</code></pre><p>Press <kbd>Name</kbd> to search</p><textarea>Help</textarea>`,
			`<pre><code>Devices</code></pre><p>Pulse <kbd>Name</kbd> para buscar</p><textarea>Help</textarea>`},
		{"script", `<script>Devices</script><style>Devices</style><!-- Devices --><p>Devices`,
			`<script>Devices</script><style>Devices</style><!-- Devices --><p>Dispositivos`},
		{"without scripts", `<noscript><p>Devices</p></noscript>`, `<noscript><p>Dispositivos</p></noscript>`},
		{"the page's language", `<!DOCTYPE html><html lang="en" data-x="a&amp;b">`, `<!DOCTYPE html><html lang="es" data-x="a&amp;b">`},
		{"a title of somebody's own",
			`<td translate="no" title="Devices">Devices</td>`, `<td translate="no" title="Devices">Devices</td>`},
		{"a mark that somebody wrote", `<p>a &amp;lt; b</p><p>a &lt; b &amp;lt; c has no phone.</p>`,
			`<p>a &amp;lt; b</p><p>a &lt; b &amp;lt; c no tiene teléfono.</p>`},
		{"what looks like a mark", `<p>Less than &lt; 3</p><p>&lt;1&gt;</p>`, `<p>Menos de &lt; 3</p><p>&lt;1&gt;</p>`},
		{"a sign", `<p>Open the page <b>now</b> &amp; <i>then</i></p>`, `<p>Abra la página <b>ahora</b> y <i>después</i></p>`},
		{"open elements", `<p>Devices <b>Settings`, `<p>Dispositivos <b>Ajustes`},
		{"ends of nothing", `</b></p>Devices</i>`, `</b></p>Dispositivos</i>`},
	} {
		if got := string(c.Page([]byte(one.page))); got != one.want {
			t.Errorf("%s:\n%s\nwanted\n%s", one.what, got, one.want)
		}
	}
}

func TestUntranslated(t *testing.T) {
	t.Parallel()
	got := made(t).Untranslated([]byte(`<title>Rings · Carillon</title><p>Devices</p><p>Hello <b>you</b></p><p>It rings. It ends.</p>
		<p title="Bell">12</p><td translate="no">Ana</td><p>Devices: <b>Settings</b></p>`))
	want := "Rings|Carillon|Hello <1>you</1>|It ends.|Bell|Devices: <1>Settings</1>"
	if strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	got := made(t).Text("Devices\n\n- 12 devices\nAna has no phone.\nhttps://x.example/Devices\nDevices: https://x.example/Devices\n")
	if want := "Dispositivos\n\n- 12 dispositivos\nAna no tiene teléfono.\nhttps://x.example/Devices\nDispositivos: https://x.example/Devices\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2 Jan 2026, 15:04": "2 ene 2026, 15:04", "Mon 2 Jan": "lun 2 ene", "2 January": "2 de enero",
		"12 October 2026": "12 de octubre de 2026", "Fri 15:04": "vie 15:04", "3 Nov 2026 to 9 Nov 2026": "3 nov 2026 a 9 nov 2026",
		"2 May 2026": "2 may 2026", "2 March, 15:04 CEST": "2 de marzo, 15:04 CEST",
		"1 March 2026 at 15:04 UTC": "1 de marzo de 2026 a las 15:04 UTC",
	} {
		if got, ok := spanishDates.moment(text); got != want || !ok {
			t.Errorf("%s: %q, %v; wanted %q", text, got, ok, want)
		}
	}
	for _, text := range []string{"March", "Devices 3", "12:30", "12", "May", "", "2 Jan of Ana"} {
		if got, ok := spanishDates.moment(text); ok || got != text {
			t.Errorf("%q is no moment: %q", text, got)
		}
	}
}

func TestEntriesThatAreRefused(t *testing.T) {
	t.Parallel()
	for key, said := range map[string]string{
		"{n} devices": "dispositivos", "Devices": "{n} dispositivos", "Ring <1>{text}</1>": "Llamar {text}", "Run <1/>": "Ejecute <1>x</1>",
		"{n}{text}":           "{n}{text}",
		"{text} near {text2}": "{text} cerca de {text2}", "{n} of {n}": "{n} de {n}", "a <1>b</1>": "a <1>b",
	} {
		if _, err := New("es", map[string]string{key: said}); err == nil {
			t.Errorf("%q: %q was taken", key, said)
		}
	}
}

// TestOwnWordsStay: what somebody wrote is not taken for an entry that fits nearly any text.
func TestOwnWordsStay(t *testing.T) {
	t.Parallel()
	c, _ := In("es")
	for _, own := range []string{"Form at reception", "Intake date", "Ana in Berlin", "Door, and gate", "Ana, app two", "Call to",
		"Ana and Ben"} {
		if got, _ := c.Line(own); got != own {
			t.Errorf("%q became %q", own, got)
		}
		page := `<td translate="no" title="` + own + `">` + own + `</td>`
		if got := string(c.Page([]byte(page))); got != page {
			t.Errorf("%s became %s", page, got)
		}
	}
	for text, want := range map[string]string{"Webhook at ops.example": "Webhook en ops.example",
		"Exception 1 date": "Exception 1, fecha"} {
		if got, _ := c.Line(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestNoLanguageButThoseListed(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{English, "", "de", "es-MX"} {
		if _, ok := In(tag); ok {
			t.Errorf("%q has a catalogue", tag)
		}
	}
	for _, l := range Languages {
		if _, ok := In(l.Tag); ok == (l.Tag == English) || !Known(l.Tag) {
			t.Errorf("%v", l)
		}
	}
}

// FuzzPage holds that no page brings the writer down, and that a catalogue without entries or
// moments changes nothing but the page's language.
func FuzzPage(f *testing.F) {
	for _, s := range []string{`<p>Run <code>x</code> <b>y`,
		`<a><div>x</a>`, `<td translate="no"><time>`, `<noscript><p`, `<title>x`, "</b><b>",
		`<p title="a"b=c d>x</p>`, "<svg><svg></svg>"} {
		f.Add(s)
	}
	c := made(f)
	none, err := New("", nil)
	if err != nil {
		f.Fatal(err)
	}
	none.words = dateWords{}
	f.Fuzz(func(t *testing.T, s string) {
		c.Page([]byte(s))
		c.Untranslated([]byte(s))
		if strings.ContainsAny(s, "&\"'\x00\r\ufffd") || strings.Contains(strings.ToLower(s), "lang") || strings.ToValidUTF8(s, "") != s {
			return
		}
		if got := string(none.Page([]byte(s))); got != s {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func BenchmarkPage(b *testing.B) {
	c := made(b)
	page := []byte(strings.Repeat(`<tr><td class="m-lead"><a href="/devices/x">iPhone of Ana</a></td><td>Devices</td>`+
		`<td>12 devices</td><td><span class="badge">Open</span></td><td>Ana has no phone.</td></tr>`, 100))
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		c.Page(page)
	}
}

// TestFiguresInSpanish: the words of charts are in Spanish, with their dates.
func TestFiguresInSpanish(t *testing.T) {
	t.Parallel()
	c, _ := In("es")
	for said, want := range map[string]string{
		"Monday, 07:00–08:00: 46 % of 13 rings answered": "lunes, 07:00–08:00: 46 % de 13 llamadas contestadas",
		"Sunday, 07:00–08:00: 100 % of 1 ring answered, too few to say much": "domingo, 07:00–08:00: 100 % de 1 llamada contestada, " +
			"muy pocas para decir mucho",
		"30 Oct: 18 rings, 14 answered, 4 not answered, 0 failed. Before: 0": "30 oct: 18 llamadas, 14 contestadas, 4 no contestadas, " +
			"0 fallidas. Antes: 0",
		"Accepted → app awake. Each phone is counted separately.": "Aceptada → app activa. Cada teléfono se cuenta por separado.",
		"291 of 484; 1 point below the 30 days before":            "291 de 484; 1 punto menos que en los 30 días anteriores",
		"Nobody says 1 to 64 characters":                          "Nobody says 1 to 64 characters",
	} {
		if got, _ := c.Line(said); got != want {
			t.Errorf("%s: %s, want %s", said, got, want)
		}
	}
}

// TestWhoRingsInSpanish: why somebody is rung or left out is said with the day in Spanish.
func TestWhoRingsInSpanish(t *testing.T) {
	t.Parallel()
	c, ok := In("es")
	if !ok {
		t.Fatal("there is no Spanish")
	}
	for said, want := range map[string]string{
		"ana is off until 08:00":                     "ana está libre hasta 08:00",
		"ana is off until Monday 08:00":              "ana está libre hasta lunes 08:00",
		"ana is off until 2 January 08:00":           "ana está libre hasta 2 de enero 08:00",
		"ana is off until Friday 08:00 (St. Martin)": "ana está libre hasta viernes 08:00 (St. Martin)",
		"ana is on duty until Tuesday 18:00":         "ana está de turno hasta martes 18:00",
		"ana is on call until Wednesday 07:30":       "ana está de guardia hasta miércoles 07:30",
		"zoe cannot be rung: This person has no registered device. Pair their phone first, under Devices.": "No se puede llamar a zoe: " +
			"Esta persona no tiene ningún dispositivo registrado. Vincule primero su teléfono, en Dispositivos.",
		"Nobody before answered: ana is always on duty": "Nadie contestó antes: ana está siempre de guardia",
		"ana is off until Monday 08:00 (by the calendar as it was 3 hours ago)": "ana está libre hasta lunes 08:00 " +
			"(según el calendario de hace 3 horas)",
	} {
		if got, _ := c.Line(said); got != want {
			t.Errorf("%s: %s, want %s", said, got, want)
		}
	}
}
