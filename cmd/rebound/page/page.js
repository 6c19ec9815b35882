"use strict";
const form = document.getElementById("form"), text = document.getElementById("text"), file = document.getElementById("file");
const checks = document.getElementById("checks"), report = document.getElementById("report");

function tell(message) {
	const item = document.createElement("li");
	item.textContent = message;
	checks.append(item);
}

async function diagnose(body) {
	checks.replaceChildren();
	checks.ariaBusy = "true";
	report.hidden = true;
	try {
		const ip = document.getElementById("ip").value.trim();
		const answer = await fetch("/diagnose?ip=" + encodeURIComponent(ip), {method: "POST", headers: {"Content-Type": "application/octet-stream"}, body});
		if (!answer.ok) {
			tell(await answer.text());
			return;
		}
		const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		for (;;) {
			const {value, done} = await reader.read();
			rest += value ?? "";
			const lines = rest.split("\n");
			rest = lines.pop();
			for (const line of lines) {
				const event = JSON.parse(line);
				if (event.check) tell(event.check + ": " + event.outcome);
				if (event.error) tell(event.error);
				if (event.page) {
					report.srcdoc = event.page;
					report.hidden = false;
				}
			}
			if (done) break;
		}
	} catch (error) {
		tell("The answer did not arrive: " + error.message);
	} finally {
		checks.ariaBusy = "false";
	}
}

form.addEventListener("submit", (event) => {
	event.preventDefault();
	diagnose(text.value.trim() === "" && file.files.length > 0 ? file.files[0] : text.value);
});
file.addEventListener("change", () => { if (file.files.length > 0) diagnose(file.files[0]); });
for (const kind of ["dragover", "dragleave", "drop"]) {
	document.addEventListener(kind, (event) => {
		event.preventDefault();
		text.classList.toggle("over", kind === "dragover");
		if (kind === "drop" && event.dataTransfer.files.length > 0) diagnose(event.dataTransfer.files[0]);
	});
}
