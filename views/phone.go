package views

// phoneSwitches are the ways in which a virtual phone can behave like a real one on a bad day.
var phoneSwitches = []struct{ id, label, help string }{
	{"focus", "Focus is on", "CallKit refuses with code 3 and the phone stays silent."},
	{"block", "Caller is blocked", "CallKit refuses with code 4."},
	{"killed", "App stopped by iOS", "It did not report earlier calls, so iOS drops its pushes. The console hears nothing."},
	{"late", "Pushes arrive late", "Four seconds late, as on a weak network."},
}
