package page

import (
	"strings"
	"unicode"
)

// The passwords that are tried first are a common word or two with digits around them. The list of
// whole passwords (isCommon) says little here: hardly any of the well-known ones has twelve
// characters. So a password is read as a row of common words, runs of the keyboard, digits and
// repetitions; one that is nothing else is refused, unless it is a sentence of four words or more.

// commonWords is a list of our own making: what people use for a password, in the languages that we
// know best.
var commonWords = strings.Fields(`
	aaa abc abcd abcdef access account admin administrator amanda america andrea andrew angel anthony apple
	arsenal ashley asshole august austin autumn babygirl bailey banana barcelona baseball basketball batman berlin
	biteme blink blue bond boss boston brandon buster butterfly calvin changeit changeme charlie cheese chelsea
	chester chicken chocolate clinic company computer cookie cooper corvette cowboy dallas daniel december default
	demo dental diamond doctor dragon eagle easter eminem england enter erik family february ferrari fishing
	flower football forever freedom friday friend friends fuck fuckyou fussball galaxy gandalf george ginger girl
	god golf google guest guitar hallo hammer hannah happy harley harry heather hello hockey home hunter ich
	ihateyou iloveu iloveyou internet iphone jackson jaguar january jasmine jasper jennifer jessica jesus john
	jordan joseph joshua july junior justin june killer king kitty knight lakers letme letmein liebe liverpool
	login london lord love lovely loveme lover lucky maggie magic manager march marina marlboro martin master
	matrix matthew maverick maxwell melissa merlin michael michelle mickey midnight mobile monday money monika
	monkey monster mother mustang mypass mypassword natasha ncc new nicole ninja november october office oliver
	one orange pass passe passwd passwort password passw peanut pepper phoenix phone please pokemon porsche prince
	princess private purple pussy qwer qwert qwerty qazwsx qwertz rabbit rachel ranger reception redsox robert
	root rosebud running samantha samsung sandra scooter secret secure security september server service sexy
	shadow silver simple skippy slipknot snoopy soccer sommer sparky spider spring staff star starwars steelers
	stella summer sunday sunshine super superman support target taylor temp temporary tennis test tester testing
	the thomas thunder tiger tigger today trouble trustno trustnoone turtle unknown user victoria wachtwoord
	welcome welcometo whatever william willkommen wilson winner winter wizard work yamaha yankees yellow you zaq
	zxcvbn zxcvbnm`)

// runs are rows that fingers walk along.
var runs = []string{"01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz",
	"qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "1qaz2wsx3edc4rfv", "qazwsxedcrfv"}

// disguises are signs used in place of letters.
var disguises = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t")

// wholeSentence is how many words make one: nobody lists them all.
const wholeSentence = 4

// guessable reports whether a password is made of what is tried first and nothing else.
func guessable(password string) bool {
	n, all := pieces(strings.ToLower(password))
	return all && n < wholeSentence
}

// pieces reads s as a row of common words, runs, digits, signs and repetitions, with as few
// different words as can be; all is false when something is left over.
func pieces(s string) (words int, all bool) {
	plain := disguises.Replace(s) // as long as s: a sign for a letter
	type way struct {
		known bool
		words []string
	}
	ways := make([]way, len(s)+1)
	ways[0].known = true
	reach := func(to int, from way, word string) {
		next := from.words
		if word != "" && !holdsWord(next, word) {
			next = append(append([]string{}, next...), word)
		}
		if !ways[to].known || len(next) < len(ways[to].words) {
			ways[to] = way{true, next}
		}
	}
	for at := range s {
		if !ways[at].known {
			continue
		}
		if c := rune(s[at]); !unicode.IsLetter(c) {
			reach(at+1, ways[at], "") // digits and signs say nothing
		}
		for _, w := range commonWords {
			if strings.HasPrefix(s[at:], w) || strings.HasPrefix(plain[at:], w) {
				reach(at+len(w), ways[at], w)
			}
		}
		if n := walk(s[at:]); n > 0 {
			for m := 3; m <= n; m++ {
				reach(at+m, ways[at], "")
			}
		}
	}
	return len(ways[len(s)].words), ways[len(s)].known
}

func holdsWord(all []string, w string) bool {
	for _, have := range all {
		if have == w {
			return true
		}
	}
	return false
}

// walk is how many characters at the beginning of s repeat the first one, or go along a run: three
// at least.
func walk(s string) int {
	most := 1
	for most < len(s) && s[most] == s[0] {
		most++
	}
	for _, run := range runs {
		for at := strings.IndexByte(run, s[0]); at >= 0 && at < len(run); at++ {
			n := 0
			for n < len(s) && at+n < len(run) && s[n] == run[at+n] {
				n++
			}
			most = max(most, n)
		}
	}
	if most < 3 {
		return 0
	}
	return most
}

// lettersOf are what is left of a text when case, digits, spaces and signs do not count.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
