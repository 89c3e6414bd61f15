package app

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestKeyboard uses the console without a mouse: menus close on Escape and give the focus back, the
// heat map is one stop with arrows inside, and the Tab key goes through whole pages.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := browser(t)
	do(t, ctx, "a wide window", look("light", 1440))
	signIn(t, ctx, s)
	const menu = `document.querySelector(".side-body .account")`
	do(t, ctx, "a menu", chromedp.Navigate(s.ready.URL+"/overview"),
		settled(chromedp.Focus(chromedp.CSS(`.side-body .account summary`))), write(`.side-body .account summary`, kb.Enter),
		holds(menu+`.open`), write(`.side-body .account .pop-link`, kb.Escape),
		holds(`!`+menu+`.open && document.activeElement.matches(".side-body .account summary")`))
	do(t, ctx, "the heat map", chromedp.Navigate(s.ready.URL+"/storybook/analytics"),
		holds(`document.querySelectorAll('.heat a[tabindex="0"]').length === 1`),
		settled(chromedp.Focus(chromedp.CSS(`.heat a[tabindex="0"]`))), write(`.heat a[tabindex="0"]`, kb.ArrowDown),
		holds(`document.activeElement.matches('.heat tr:nth-child(2) a[tabindex="0"]')`))
	menusByMouse(t, ctx, s)
	for _, path := range []string{"/overview", "/rings", "/devices", "/people", "/settings", "/schedules/add"} {
		do(t, ctx, path, chromedp.Navigate(s.ready.URL+path), holds(`document.readyState === "complete"`))
		stops, faults := 0, map[string]bool{}
		for {
			do(t, ctx, "Tab on "+path, chromedp.KeyEvent(kb.Tab))
			said := read(t, ctx, "the focus on "+path, chromedp.Evaluate[string](focused))
			if said == "over" {
				break
			}
			if stops++; stops > 400 {
				t.Fatalf("%s: the Tab key never leaves the page", path)
			}
			if said != "" && !faults[said] {
				faults[said] = true
				t.Errorf("%s: %s", path, said)
			}
		}
		if stops < 20 {
			t.Errorf("%s has only %d stops of the Tab key", path, stops)
		}
	}
}

// menusByMouse presses texts inside the menus of a list: a press gives the focus to the page around
// them, and they stay open nevertheless.
func menusByMouse(t *testing.T, ctx context.Context, s *server) {
	t.Helper()
	const columns, views = `.list-menu:has(.column-ticks)`, `.list-menu:has(.view-save)`
	do(t, ctx, "a box of Columns", chromedp.Navigate(s.ready.URL+"/rings"),
		click(columns+` summary`), holds(`document.querySelector("`+columns+`").open`))
	const box = `document.querySelector("` + columns + ` .tick input")`
	was := read(t, ctx, "the box", chromedp.Evaluate[bool](box+`.checked`))
	do(t, ctx, "press its label", click(columns+` .tick label`),
		holds(fmt.Sprintf(`%s.checked === %t && document.querySelector("%s").open`, box, !was, columns)))
	do(t, ctx, "save a view", click(views+` summary`),
		holds(`document.querySelector("`+views+`").open && !document.querySelector("`+columns+`").open`),
		click(views+` label.tick span`), holds(`document.querySelector("`+views+` .tick input").checked`),
		write(`#view-name`, "By mouse"), turns(views+` .view-save button`),
		holds(`document.querySelector("`+views+` .view-list")?.textContent.includes("By mouse")`))
}

// focused says what is wrong with the element that has the focus: no outline, or something in front
// of it. It is "over" behind the last one.
var focused = fmt.Sprintf(`(() => {
	const el = document.activeElement;
	if (!el || el === document.body) return "over";
	const lit = (e) => e && getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) > 0;
	const parts = [el, el.closest(%q), el.matches(%q) && el.nextElementSibling, ...(el.labels || [])];
	const box = el.getBoundingClientRect(), name = el.tagName + " " + (el.ariaLabel || el.textContent || el.name).trim().slice(0, 60);
	if (!parts.some(lit)) return name + " shows no focus";
	const inside = [0.1, 0.5, 0.9].some((x) => {
		const top = document.elementFromPoint(box.left + box.width * x, box.top + Math.min(box.height, innerHeight) / 2);
		return top && parts.some((part) => part && (part === top || part.contains(top)));
	});
	return inside ? "" : name + " is covered";
})()`, ".row-link, .phone-choice", ".segment input")
