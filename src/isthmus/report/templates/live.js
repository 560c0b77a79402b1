(() => {
  // Pages of a viewer bring themselves up to date; nothing is taken from under whoever reads or has unfolded something.
  const at_rest = () => !document.hidden && !String(getSelection()) && !document.querySelector("details[open]") &&
    !["INPUT", "BUTTON"].includes(document.activeElement.tagName);
  const main = document.querySelector("[data-reload]");
  if (main) setInterval(() => { if (at_rest()) location.reload(); }, 1000 * Number(main.dataset.reload));

  const panel = document.getElementById("live");
  if (!panel) return;
  const part = name => panel.querySelector(`[data-live="${name}"]`);
  const make = (tag, text, within) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (within) within.append(made);
    return made;
  };
  const say = (name, text) => { if (part(name).textContent !== text) part(name).textContent = text; };
  const spell = seconds => seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` :
    seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  const linked = (each, within) => { make("a", each.title, within).href = `stages/${encodeURIComponent(each.key)}`; };

  const show = status => {
    const others = Object.entries(status.counts).filter(([state]) => state !== "done");
    say("done", `${status.done.toLocaleString("en")} of ${status.total.toLocaleString("en")}`);
    say("counts", others.map(([state, many]) => `, ${many} ${state}`).join(""));
    say("left", status.left === null ? "" : `; about ${spell(status.left)} left`);
    say("message", status.message);
    const bar = panel.querySelector("progress");
    bar.max = status.total || 1;
    bar.value = status.done;
    // A list is made anew only when it has others in it: a link keeps the focus.
    for (const name of ["running", "failed"]) {
      const list = part(name), keys = status[name].map(each => each.key).join();
      if (list.dataset.keys !== keys) {
        list.dataset.keys = keys;
        list.replaceChildren(...status[name].map(each => {
          const item = make("li", "");
          linked(each, make("p", "", item));
          make("p", "", item).className = "quiet";
          return item;
        }));
      }
      status[name].forEach((each, place) => {
        const left = each.left === null || each.left === undefined ? "" : `, about ${spell(each.left)} left`;
        list.children[place].querySelector(".quiet").textContent = name === "failed" ? each.reason :
          each.total ? `${each.done.toLocaleString("en")} of ${each.total.toLocaleString("en")}${left}` : "under way";
      });
    }
    if (!status.report || status.report === panel.dataset.report) return;
    if (!panel.dataset.report || (at_rest() && scrollY < 200)) location.reload();
    else if (!part("news").childElementCount) {
      const button = make("button", "Show new results", part("news"));
      button.type = "button";
      button.addEventListener("click", () => location.reload());
    }
  };

  const ask = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch("status.json", { cache: "no-store" });
        if (!answer.ok) throw new Error();
        show(await answer.json());
      } catch {
        say("message", "No answer from isthmus view: it may have ended. The page shows what was known until then.");
      }
    }
    setTimeout(ask, 2000);
  };
  ask();
})();
