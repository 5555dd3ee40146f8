// The page behind the links in mails. The token stands behind the # of the address,
// where no server sees it, and is sent when somebody presses the button: a program that
// only looks at the page uses nothing up.
"use strict";

const byId = (id) => document.getElementById(id);

function show(id) {
  for (const part of ["start", "choose", "done"]) byId(part).hidden = part !== id;
}

function finish(text) {
  byId("outcome").textContent = text;
  show("done");
}

async function post(path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = "Bearer " + token;
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" });
  const answer = await response.json();
  if (response.ok) return answer;
  const fields = (answer.errors || []).map((e) => e.message).join(", ");
  throw new Error(answer.detail.replace(/\.$/, "") + (fields ? ": " + fields : ""));
}

// attempt does something once at a time and shows what went wrong.
async function attempt(button, work) {
  byId("problem").textContent = "";
  button.disabled = true;
  try {
    await work();
  } catch (problem) {
    byId("problem").textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // out of the history of the browser
let session = "";
let person = "/v1/customers/me"; // whose password is to be chosen

if (token) {
  show("start");
} else {
  byId("problem").textContent = "This address lacks the end of the link. Open it from your mail again.";
}

byId("follow").addEventListener("click", (event) => attempt(event.target, async () => {
  const answer = await post("/v1/links/redeem", { token });
  if (answer.next !== "set_password") return finish("You can sign in now.");
  session = answer.token;
  if (answer.staff_id) person = "/v1/staff/me";
  show("choose");
  byId("password").focus();
}));

byId("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter, async () => {
    await post(person + "/set-password", { new_password: byId("password").value, repeat_password: byId("repeat").value }, session);
    finish("Your password is set. You can sign in with it now.");
  });
});
