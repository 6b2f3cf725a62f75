"""German: sentences that come from elsewhere and are shown: reasons, progress, what went wrong, what was measured."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "Limber speaks English": "Limber spricht Deutsch",
    # why a button cannot be pressed
    "A run is going on": "Es läuft gerade etwas",
    "a run is going on": "es läuft gerade etwas",
    "A set-up goes on. Wait, or cancel it": "Es wird gerade eingerichtet. Warten oder abbrechen",
    "Accept or discard the result first": "Erst das Ergebnis akzeptieren oder verwerfen",
    "Choose a file or a folder": "Eine Datei oder einen Ordner wählen",
    "Choose the armature whose motion is taken": "Das Skelett wählen, dessen Bewegung genommen wird",
    "Leave the NLA strip's tweak mode first": "Erst den Tweak-Modus des NLA-Streifens verlassen",
    "No Action: there is no motion yet": "Keine Aktion: es gibt noch keine Bewegung",
    "No bone is selected: select what is asked for in Pose Mode":
        "Kein Knochen ist ausgewählt: im Posenmodus auswählen, worum es geht",
    "No keys: key at least two poses": "Keine Schlüsselbilder: mindestens zwei Posen setzen",
    "No keys: there is no motion to go on from":
        "Keine Schlüsselbilder: es gibt keine Bewegung, die weitergehen könnte",
    "Nothing is running on this armature": "An diesem Skelett läuft nichts",
    "Select the armature that is to move": "Das Skelett auswählen, das sich bewegen soll",
    "Source and target are the same armature": "Quelle und Ziel sind dasselbe Skelett",
    "The armature is linked from another file. Make a library override of it":
        "Das Skelett ist aus einer anderen Datei verknüpft. Eine Bibliotheksüberschreibung davon anlegen",
    "The armature's Action was not made by Limber": "Die Aktion des Skeletts wurde nicht von Limber gemacht",
    "The bones are not understood: {0}": "Die Knochen werden nicht verstanden: {0}",
    "The source has no Action": "Die Quelle hat keine Aktion",
    "The source has no NLA tracks": "Die Quelle hat keine NLA-Spuren",
    "There is no result to decide on": "Es gibt kein Ergebnis, über das zu entscheiden wäre",
    "There is one result. Set Variations above 1 before the run":
        "Es gibt nur ein Ergebnis. Vor dem Lauf mehr als 1 Variante einstellen",
    "This armature is being worked on. Wait, or cancel": "An diesem Skelett wird gearbeitet. Warten oder abbrechen",
    "Wait for the result, then accept or discard it":
        "Auf das Ergebnis warten, dann es akzeptieren oder verwerfen",
    # a run
    "Reading the keys": "Schlüsselbilder werden gelesen",
    "Starting the backend": "Backend wird gestartet",
    "Sending": "Wird gesendet",
    "Waiting for its turn": "Wartet, bis es drankommt",
    "Filling the motion": "Bewegung wird gefüllt",
    "Fetching the result": "Ergebnis wird geholt",
    "Writing the Action": "Aktion wird geschrieben",
    "Limber: {0}": "Limber: {0}",
    "Cancelled. Nothing was changed": "Abgebrochen. Nichts wurde geändert",
    "Your keys are as they were.": "Deine Schlüsselbilder sind, wie sie waren.",
    "{0} Press Restart; your keys are as they were.":
        "{0} Neu starten drücken; deine Schlüsselbilder sind, wie sie waren.",
    "{0} is gone, so its motion was thrown away.": "{0} ist fort, darum wurde die Bewegung weggeworfen.",
    "{0} is being worked on": "an {0} wird gearbeitet",
    "Wait for it, or cancel it.": "Darauf warten oder es abbrechen.",
    "{0} was given another Action during the run": "{0} bekam während des Laufs eine andere Aktion",
    "{0} has results under review again": "Bei {0} warten wieder Ergebnisse auf eine Entscheidung",
    "Accept or discard them, then run again.": "Diese annehmen oder verwerfen, dann neu starten.",
    "{0} lost the bone {1} during the run": "{0} verlor während des Laufs den Knochen {1}",
    "The result was thrown away; run again.": "Das Ergebnis wurde weggeworfen; noch einmal laufen lassen.",
    "The Action {0} has no slot for this armature.": "Die Aktion {0} hat keinen Slot für dieses Skelett.",
    "The Action {0} went away while it was being written. Run again.":
        "Die Aktion {0} verschwand, während sie geschrieben wurde. Noch einmal laufen lassen.",
    "The present Action is not a result of Limber, there is nothing to discard.":
        "Die jetzige Aktion ist kein Ergebnis von Limber, es gibt nichts zu verwerfen.",
    "A defect in Limber: {0}": "Ein Fehler in Limber: {0}",
    "A defect in Limber: {0}: {1}": "Ein Fehler in Limber: {0}: {1}",
    "A defect in Limber: {0}. Nothing of yours was changed.":
        "Ein Fehler in Limber: {0}. Nichts von dir wurde geändert.",
    "Keys were changed during the run. This goes through the earlier ones; the original Action has yours":
        "Während des Laufs wurden Schlüsselbilder geändert. Dies geht durch die früheren; die ursprüngliche Aktion "
        "hat deine",
    # results
    "No model: no trained weights for this were used, and nothing was changed":
        "Kein Modell: es wurden keine trainierten Gewichte verwendet, und nichts wurde geändert",
    "No model: the motion that was there was led and bent, no trained weights for this were used":
        "Kein Modell: die vorhandene Bewegung wurde geführt und gebogen, ohne trainierte Gewichte",
    "No trained weights: plain interpolation": "Keine trainierten Gewichte: einfache Interpolation",
    "Plain interpolation, no model: no trained weights for this were used":
        "Einfache Interpolation, kein Modell: dafür wurden keine trainierten Gewichte verwendet",
    "Plain interpolation, no model: there are no trained weights beside the backend":
        "Einfache Interpolation, kein Modell: beim Backend liegen keine trainierten Gewichte",
    "{0}: {1} before, {2} now ({3})": "{0}: vorher {1}, jetzt {2} ({3})",
    "Jerk: {0} before, {1} now ({2})": "Ruck: vorher {0}, jetzt {1} ({2})",
    "{0}: {1} {2}, plain interpolation {3}": "{0}: {1} {2}, einfache Interpolation {3}",
    "Jerk: {0} {1}, plain interpolation {2}": "Ruck: {0} {1}, einfache Interpolation {2}",
    "{0}: {1} {2}\nPlain interpolation: {3} {4}": "{0}: {1} {2}\nEinfache Interpolation: {3} {4}",
    "(as measured where How Much is 1)": "(gemessen bei Wie viel = 1)",
    "Nothing is known between this result and plain interpolation: it was generated, it follows controls, or the file "
    "was opened since. Make it again":
        "Zwischen diesem Ergebnis und einfacher Interpolation ist nichts bekannt: es wurde erzeugt oder folgt "
        "Vorgaben, oder die Datei wurde seither geöffnet. Noch einmal machen",
    "bundle {0}": "Modellpaket {0}",
    "seed {0}": "Startwert {0}",
    "{0}, bundle {1}, seed {2}, {3} s": "{0}, Modellpaket {1}, Startwert {2}, {3} s",
    "{0}, seed {1}, {2} s": "{0}, Startwert {1}, {2} s",
    "“{0}” is {1}.": "„{0}“ ist {1}.",
    "“{0}” is known.": "„{0}“ ist bekannt.",
    "“{0}” is near.": "„{0}“ ist Bekanntem nahe.",
    "“{0}” is unfamiliar.": "„{0}“ ist fremd.",
    "{0} It knows: {1}.": "{0} Bekannt ist: {1}.",
    # what is followed
    "Place over the ground: {0} on average, {1} at worst, frame {2}":
        "Ort über dem Boden: {0} im Mittel, höchstens {1}, Einzelbild {2}",
    "Heading: {0}° at worst, frame {1}": "Blickrichtung: höchstens {0}°, Einzelbild {1}",
    "{0} (soft): {1} on average, {2} at worst, frame {3}":
        "{0} (weich): {1} im Mittel, höchstens {2}, Einzelbild {3}",
    "{0}: cannot be reached at frame {1} by {2}": "{0}: bei Einzelbild {1} um {2} nicht zu erreichen",
    "{0}: frame {1}": "{0}: Einzelbild {1}",
    "{0}: its length over the ground is zero": "{0}: seine Länge über dem Boden ist null",
    "{0}: nor at one more frame": "{0}: auch an einem weiteren Einzelbild nicht",
    "{0}: nor at {1} more frames": "{0}: auch an {1} weiteren Einzelbildern nicht",
    "{0}: the key at frame {1} holds it {2} away": "{0}: das Schlüsselbild bei {1} hält es {2} entfernt",
    "{0}: {1} at worst, frame {2}": "{0}: höchstens {1}, Einzelbild {2}",
    "cannot be reached": "nicht zu erreichen",
    "Add a pin, a path or a waypoint, or choose another range.":
        "Einen Pin, einen Pfad oder einen Wegpunkt hinzufügen, oder einen anderen Bereich wählen.",
    "Choose another curve, or none.": "Eine andere Kurve wählen, oder keine.",
    "Choose another object.": "Ein anderes Objekt wählen.",
    "Choose another one, or none.": "Eine andere wählen, oder keine.",
    "Choose another one, or remove it.": "Ein anderes wählen, oder ihn entfernen.",
    "Choose another one.": "Ein anderes wählen.",
    "Choose arms, legs, spine, neck, head or hips.": "Arme, Beine, Wirbelsäule, Hals, Kopf oder Hüfte wählen.",
    "Draw a longer one.": "Einen längeren zeichnen.",
    "Draw one with Annotate, or with Grease Pencil.": "Einen mit Anmerken oder mit dem Wachsstift zeichnen.",
    "Give it a scale.": "Ihm eine Skalierung geben.",
    "Give it no bevel and no extrusion.": "Ihr keine Fase und keine Extrusion geben.",
    "Join them, or separate the one that is walked.": "Sie verbinden, oder die abtrennen, die begangen wird.",
    "Keep the motion instead of its keys, or fewer keys.":
        "Statt der Schlüsselbilder die Bewegung behalten, oder weniger Schlüsselbilder.",
    "Key it under Object Data > Path Animation, or choose another pace.":
        "Sie unter Objektdaten > Pfadanimation setzen, oder ein anderes Tempo wählen.",
    "Pin hips, spine, neck, head, arms, hands, legs or feet.":
        "Hüfte, Wirbelsäule, Hals, Kopf, Arme, Hände, Beine oder Füße feststecken.",
    "Select bones in Pose Mode.": "Im Posenmodus Knochen auswählen.",
    "Select what is held, then the character's bones.":
        "Erst auswählen, was gehalten wird, dann die Knochen der Figur.",
    "Set the Annotate tool's placement to 3D Cursor or Surface.":
        "Die Platzierung des Anmerken-Werkzeugs auf 3D-Cursor oder Oberfläche stellen.",
    "Turn it, or leave its heading.": "Es drehen, oder seine Blickrichtung weglassen.",
    "Unlock one of them.": "Eine davon entsperren.",
    "Unlock one, or follow with hands and feet alone.":
        "Eine entsperren, oder nur mit Händen und Füßen folgen.",
    "every pose in the range is kept, nothing is left to follow with":
        "jede Pose im Bereich wird behalten, es bleibt nichts, womit zu folgen wäre",
    "frames {0} to {1} are no time to walk it": "die Einzelbilder {0} bis {1} sind keine Zeit, ihn zu gehen",
    "it is pinned to the character itself": "er ist an die Figur selbst gesteckt",
    "it is scaled to nothing": "es ist auf nichts skaliert",
    "its curve is gone": "seine Kurve ist fort",
    "its front points straight up or down": "seine Vorderseite zeigt gerade nach oben oder unten",
    "its object is gone from the scene": "sein Objekt ist nicht mehr in der Szene",
    "its object is scaled to zero": "sein Objekt ist auf null skaliert",
    "no armature is chosen": "kein Skelett ist gewählt",
    "none is chosen": "keiner ist gewählt",
    "none is selected": "keiner ist ausgewählt",
    "no other objects are selected, one is needed": "kein anderes Objekt ist ausgewählt, eines wird gebraucht",
    "nothing can move {0}: its locations are locked or connected":
        "nichts kann {0} bewegen: seine Positionen sind gesperrt oder verbunden",
    "nothing can move {0}: the location of {1}, of all bones above it and of the object is locked or connected":
        "nichts kann {0} bewegen: die Position von {1}, allen Knochen darüber und des Objekts ist gesperrt oder "
        "verbunden",
    "nothing is to be followed from {0} to {1}": "von {0} bis {1} ist nichts zu befolgen",
    "path ({0})": "Pfad ({0})",
    "pin {0} ({1})": "Pin {0} ({1})",
    "waypoint {0}": "Wegpunkt {0}",
    "the bone has no role": "der Knochen hat keine Rolle",
    "the bone {0} has no role": "der Knochen {0} hat keine Rolle",
    "the stroke lies on the screen, not in the scene": "der Strich liegt auf dem Bildschirm, nicht in der Szene",
    "the stroke's length is zero": "die Länge des Strichs ist null",
    "there is no joint {0}": "es gibt kein Gelenk {0}",
    "there is no stroke": "es gibt keinen Strich",
    "{0} has no keys on its Evaluation Time": "{0} hat keine Schlüsselbilder auf der Auswertungszeit",
    "{0} has {1} splines, one is needed": "{0} hat {1} Splines, einer wird gebraucht",
    "{0} is evaluated to a surface, not to a line": "{0} wird zu einer Fläche ausgewertet, nicht zu einer Linie",
    "{0} is not in a finite place": "{0} ist an keinem endlichen Ort",
    "{0} other objects are selected, one is needed": "{0} andere Objekte sind ausgewählt, eines wird gebraucht",
    "{0}, which was changed then, has no role any more": "{0}, damals geändert, hat keine Rolle mehr",
    # what is asked for
    "action": "Aktion",
    "armature": "Skelett",
    "bone": "Knochen",
    "bones": "Knochen",
    "keys": "Schlüsselbilder",
    "markers": "Marker",
    "motion": "Bewegung",
    "object": "Objekt",
    "path": "Pfad",
    "pin": "Pin",
    "pins": "Pins",
    "prompt": "Prompt",
    "range": "Bereich",
    "results": "Ergebnisse",
    "role": "Rolle",
    "waypoint": "Wegpunkt",
    "waypoints": "Wegpunkte",
    "Add markers (M in the timeline) and name them.": "Marker hinzufügen (M in der Zeitleiste) und benennen.",
    "Bake the Action first (Object > Animation > Bake Action).":
        "Erst die Aktion backen (Objekt > Animation > Aktion backen).",
    "Choose a shorter gap, or the bones.": "Eine kürzere Lücke wählen, oder die Knochen.",
    "Choose an end after the last key.": "Ein Ende nach dem letzten Schlüsselbild wählen.",
    "Choose an end after the start.": "Ein Ende nach dem Start wählen.",
    "Choose fewer bones, or a part of the motion.": "Weniger Knochen wählen, oder einen Teil der Bewegung.",
    "Choose frames that the motion has, or another armature.":
        "Einzelbilder wählen, die die Bewegung hat, oder ein anderes Skelett.",
    "Give it the Action with the captured motion.": "Ihm die Aktion mit der aufgenommenen Bewegung geben.",
    "Import other files first, and choose the armature.":
        "Andere Dateien erst importieren, dann das Skelett wählen.",
    "It starts from the motion as it was; run it on this one instead.":
        "Das geht von der Bewegung aus, wie sie war; stattdessen auf dieser laufen lassen.",
    "Key a first and a last pose, or choose another range.":
        "Eine erste und eine letzte Pose setzen, oder einen anderen Bereich wählen.",
    "Key at least two poses.": "Mindestens zwei Posen setzen.",
    "Leave it with Tab in the NLA editor.": "Ihn mit Tab im NLA-Editor verlassen.",
    "Make a library override of it (Object > Library Override > Make).":
        "Eine Bibliotheksüberschreibung davon anlegen (Objekt > Bibliotheksüberschreibung > Anlegen).",
    "Make a library override of it.": "Eine Bibliotheksüberschreibung davon anlegen.",
    "Select a character's armature.": "Das Skelett einer Figur auswählen.",
    "Select fewer keys, or keep none.": "Weniger Schlüsselbilder auswählen, oder keine behalten.",
    "There is no motion to go on from.": "Es gibt keine Bewegung, die weitergehen könnte.",
    "every key that is asked for is to be kept": "jedes verlangte Schlüsselbild soll behalten werden",
    "everything is missing, nothing is left to go by": "alles fehlt, es bleibt nichts als Anhalt",
    "frames {0} to {1} hold none": "die Einzelbilder {0} bis {1} haben keine",
    "no bone was found for {0}": "für {0} wurde kein Knochen gefunden",
    "no captured bone is without a key for more than {0} frames":
        "kein aufgenommener Knochen ist länger als {0} Einzelbilder ohne Schlüsselbild",
    "no keyed frame": "kein Einzelbild mit Schlüsselbild",
    "one keyed frame": "ein Einzelbild mit Schlüsselbild",
    "none from frame {0} to {1}": "keine von Einzelbild {0} bis {1}",
    "none of the chosen bones has a role: {0}": "keiner der gewählten Knochen hat eine Rolle: {0}",
    "the armature has none": "das Skelett hat keine",
    "the motion has keys up to {0}, the range ends at {1}":
        "die Bewegung hat Schlüsselbilder bis {0}, der Bereich endet bei {1}",
    "the motion is one frame long": "die Bewegung ist ein Einzelbild lang",
    "there is no key from {0} to {1}, the motion goes from {2} to {3}":
        "von {0} bis {1} gibt es kein Schlüsselbild, die Bewegung geht von {2} bis {3}",
    "there is no {0}": "es gibt kein {0}",
    "what {0} says about its making cannot be read": "was {0} über seine Entstehung sagt, ist nicht zu lesen",
    "what {0} says about its making is incomplete ({1})":
        "was {0} über seine Entstehung sagt, ist unvollständig ({1})",
    "what {0} was made from is no longer in the file": "woraus {0} gemacht wurde, ist nicht mehr in der Datei",
    "{0} among the {1}keys from {2} to {3}, two are needed":
        "{0} unter den {1}Schlüsselbildern von {2} bis {3}, zwei werden gebraucht",
    "{0} among the selected keys from {1} to {2}, two are needed":
        "{0} unter den ausgewählten Schlüsselbildern von {1} bis {2}, zwei werden gebraucht",
    "{0} among the keys from {1} to {2}, two are needed":
        "{0} unter den Schlüsselbildern von {1} bis {2}, zwei werden gebraucht",
    "{0} frames for a clip of {1}": "{0} Einzelbilder für einen Clip von {1}",
    "{0} from {1} to {2}": "{0} von {1} bis {2}",
    "{0} has a modifier ({1}) on its {2}": "{0} hat einen Modifikator ({1}) auf {2}",
    "{0} has no bone {1}": "{0} hat keinen Knochen {1}",
    "{0} has no bones": "{0} hat keine Knochen",
    "{0} has no {1}": "{0} hat kein {1}",
    "{0} has none": "{0} hat keine",
    "{0} is in the NLA editor's tweak mode": "{0} ist im Tweak-Modus des NLA-Editors",
    "{0} is linked": "{0} ist verknüpft",
    "{0} is linked from {1}": "{0} ist aus {1} verknüpft",
    "{0} to {1} holds no frames between": "zwischen {0} und {1} liegen keine Einzelbilder",
    "{0} was not made by Limber": "{0} wurde nicht von Limber gemacht",
    "{0}[{1}]: not a finite number": "{0}[{1}]: keine endliche Zahl",
    "{0}[{1}]: {2} frames, {3} values": "{0}[{1}]: {2} Einzelbilder, {3} Werte",
    # retargeting and bones
    "An armature was deleted during the run.": "Während des Laufs wurde ein Skelett gelöscht.",
    "Found by bone names": "Nach Knochennamen gefunden",
    "Found by structure": "Nach dem Aufbau gefunden",
    "Mapped by hand": "Von Hand zugeordnet",
    "NLA tracks": "NLA-Spuren",
    "There is no clip.": "Es gibt keinen Clip.",
    "Undo or another file ended the run.": "Rückgängig oder eine andere Datei hat den Lauf beendet.",
    "{0} clips": "{0} Clips",
    "{0} motion": "{0} Bewegung",
    ", {0} failed": ", {0} gescheitert",
    ", limbs off by at most {0} degrees on average": ", Gliedmaßen im Mittel höchstens {0} Grad daneben",
    "{0} is no file of {1}, nor a folder of them": "{0} ist keine Datei mit {1} und auch kein Ordner davon",
    "{0}: all {1} joints": "{0}: alle {1} Gelenke",
    "{0}: {1} of {2} joints": "{0}: {1} von {2} Gelenken",
    "There is no 3D view to take it from": "Es gibt keine 3D-Ansicht, aus der er zu nehmen wäre",
    "model {0}": "Modell {0}",
    "Weights: usable commercially (trained only on motion that may be).":
        "Gewichte: gewerblich verwendbar (nur auf Bewegung trainiert, die das ist).",
    "Weights: research and non-commercial use only (CC BY-NC 4.0), since also trained on {0}.":
        "Gewichte: nur für Forschung und nicht-gewerblich (CC BY-NC 4.0), da auch auf {0} trainiert.",
    "Location {0}": "Position {0}",
    "Rotation {0}": "Rotation {0}",
    "{0} went away while its Action was being written. Run again.":
        "{0} verschwand, während seine Aktion geschrieben wurde. Noch einmal laufen lassen.",
    "No result of this armature was accepted as an NLA strip":
        "Kein Ergebnis dieses Skeletts wurde als NLA-Streifen akzeptiert",
    "Press Next Variation, which shows it.": "Nächste Variante drücken, die es zeigt.",
    "Take the star off in the NLA editor.": "Den Stern im NLA-Editor wegnehmen.",
    "one track plays solo, so another would not be seen":
        "eine Spur läuft solo, darum wäre eine andere nicht zu sehen",
    "{0} does not play the result": "{0} spielt das Ergebnis nicht",
    "{0} has no strip of Limber's": "{0} hat keinen Streifen von Limber",
    "Limber: in-between": "Limber: Zwischenbilder",
    "Limber: complete": "Limber: Ergänzen",
    "Limber: refine": "Limber: Verfeinern",
    "Limber: edit joints": "Limber: Gelenke bearbeiten",
    "Limber: generate": "Limber: Erzeugen",
    "Limber: follow": "Limber: Folgen",
    "In the NLA editor set its blending to Replace and its influence to 1, or press Accept.":
        "Im NLA-Editor seine Mischung auf Ersetzen und seinen Einfluss auf 1 stellen, oder Akzeptieren "
        "drücken.",
    "it is blended with the strips below, and so would be both":
        "es wird mit den Streifen darunter gemischt, und so würden es beide",
}  # fmt: skip
