// Fetches the page that is shown again from time to time and puts its content in place of the old one.
// Without this script the page is the same; it only grows old.
"use strict";

const INTERVAL = 30000;
const main = document.getElementById("main");
const note = document.getElementById("refreshed");

function say(words) {
  note.textContent = words;
}

async function refresh() {
  // Nobody looks, or somebody reads something that they have unfolded or selected.
  const selected = String(window.getSelection());
  if (document.hidden || selected !== "" || main.querySelector("details[open]")) {
    return;
  }
  try {
    const answer = await fetch(window.location.href, { cache: "no-store" });
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    main.replaceChildren(...fresh.getElementById("main").childNodes);
    document.body.classList.remove("stale");
    say("Refreshed at " + new Date().toISOString().slice(11, 19) + ".");
  } catch {
    document.body.classList.add("stale");
    say("hoplock does not answer: what is shown is old.");
  }
}

if (main.hasAttribute("data-refresh")) {
  say("Refreshes by itself.");
  setInterval(refresh, INTERVAL);
}
