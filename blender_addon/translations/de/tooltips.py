"""German: what appears while the pointer rests on something."""

from __future__ import annotations

TOOLTIPS: dict[str, str] = {
    "A .bvh or .npz file, or a folder of them": "Eine .bvh- oder .npz-Datei oder ein Ordner davon",
    "A Python 3.11 or 3.12 that makes the environment. Empty: looked for":
        "Ein Python 3.11 oder 3.12, das die Umgebung anlegt. Leer: wird gesucht",
    "A bone of that object; empty for the object": "Ein Knochen jenes Objekts; leer für das Objekt selbst",
    "A bone without a key for more frames than this is missing there":
        "Ein Knochen, der länger als so viele Einzelbilder kein Schlüsselbild hat, fehlt dort",
    "A curve over the ground that the hips stay above": "Eine Kurve auf dem Boden, über der die Hüfte bleibt",
    "A file, or a folder of files": "Eine Datei oder ein Ordner mit Dateien",
    "A folder that holds every library as a wheel, for computers without network":
        "Ein Ordner mit allen Bibliotheken als Wheel, für Rechner ohne Netz",
    "A place that does not move": "Ein Ort, der sich nicht bewegt",
    "A waypoint at the current frame: an Empty on the ground under the character, facing as it faces":
        "Ein Wegpunkt am aktuellen Einzelbild: ein Leer-Objekt auf dem Boden unter der Figur, das blickt wie sie",
    "0 is plain interpolation (where motion is cleaned: as it was), 1 the model's result, more goes further the same "
    "way":
        "0 ist einfache Interpolation (wo Bewegung gesäubert wird: wie sie war), 1 das Ergebnis des Modells, mehr geht "
        "in derselben Richtung weiter",
    "Accepting another result leaves this one in the file as well":
        "Wird ein anderes Ergebnis akzeptiert, bleibt auch dieses in der Datei",
    "Added to the place: in the object's own axes, in the world's for other pins":
        "Wird zum Ort addiert: in den Achsen des Objekts, bei anderen Pins in denen der Welt",
    "All Blenders of this user on this computer use one backend. It ends a minute after the last one":
        "Alle Blender dieses Benutzers auf diesem Rechner verwenden ein Backend. Es endet eine Minute nach dem letzten",
    "An Empty or any other object, or a bone of another armature":
        "Ein Leer-Objekt oder ein anderes Objekt, oder ein Knochen eines anderen Skeletts",
    "Armature whose motion is taken": "Skelett, dessen Bewegung genommen wird",
    "Arms turn as the source's do": "Die Arme drehen sich wie die der Quelle",
    "As the curve's own Evaluation Time says, under Path Animation":
        "Wie es die Auswertungszeit der Kurve unter Pfadanimation sagt",
    "At the current frame alone": "Nur am aktuellen Einzelbild",
    "At this speed, as far as the frames last": "Mit dieser Geschwindigkeit, so weit die Einzelbilder reichen",
    "Begin at once instead of showing the size first": "Sofort beginnen, statt erst die Größe zu zeigen",
    "Begin at the 3D cursor, facing the heading below": "Am 3D-Cursor beginnen, mit der Blickrichtung darunter",
    "Blend the result that is shown between plain interpolation and the model's motion, or beyond it. Every key stays "
    "exactly as it is":
        "Das gezeigte Ergebnis zwischen einfacher Interpolation und der Bewegung des Modells mischen, oder darüber "
        "hinaus. Jedes Schlüsselbild bleibt genau, wie es ist",
    "Bone of this character that is pinned": "Knochen dieser Figur, der festgesteckt wird",
    "Character, task, range, what is kept, the button.": "Figur, Aufgabe, Bereich, was behalten wird, der Knopf.",
    "Clean a captured motion. Bones and frames that are not asked for stay exactly as they are, and the result is a "
    "new Action":
        "Eine aufgenommene Bewegung säubern. Knochen und Einzelbilder, um die es nicht geht, bleiben genau, wie sie "
        "sind; das Ergebnis ist eine neue Aktion",
    "Clean a captured motion: jitter, noise, sliding feet":
        "Eine aufgenommene Bewegung säubern: Zittern, Rauschen, rutschende Füße",
    "Colour of a result's ghosts and trails": "Farbe der Geister und Spuren eines Ergebnisses",
    "Colour of bones and frames that a run will change":
        "Farbe der Knochen und Einzelbilder, die ein Lauf ändern wird",
    "Colour of keys that stay as they are": "Farbe der Schlüsselbilder, die bleiben, wie sie sind",
    "Colour of plain interpolation's ghosts and trails":
        "Farbe der Geister und Spuren der einfachen Interpolation",
    "Copy a bundle of weights from a folder to where the backend looks, if it fits":
        "Ein Modellpaket aus einem Ordner dorthin kopieren, wo das Backend sucht, falls es passt",
    "Delete a bundle that was added. What came with Limber stays":
        "Ein hinzugefügtes Modellpaket löschen. Was mit Limber kam, bleibt",
    "Delete the environment that Set Up made, and its downloads. Nothing else is touched":
        "Die Umgebung löschen, die Einrichten angelegt hat, samt dem Heruntergeladenen. Sonst wird nichts angerührt",
    "Draw pins, path and deviations": "Pins, Pfad und Abweichungen zeichnen",
    "Draw plain interpolation beside the model; where motion is cleaned, the motion as it was":
        "Einfache Interpolation neben dem Modell zeichnen; wo Bewegung gesäubert wird, die Bewegung, wie "
        "sie war",
    "End the backend, if it runs, and start it anew. Runs that wait for it fail; nothing else changes":
        "Das Backend beenden, falls es läuft, und neu starten. Läufe, die darauf warten, scheitern; sonst ändert "
        "sich nichts",
    "End the retargeting that is going on. Finished clips stay in the file":
        "Die laufende Übertragung beenden. Fertige Clips bleiben in der Datei",
    "End what goes on. What was downloaded is kept, and the next Set Up goes on from there":
        "Beenden, was läuft. Heruntergeladenes bleibt, und das nächste Einrichten macht dort weiter",
    "Every Action on the source armature's NLA tracks": "Jede Aktion auf den NLA-Spuren des Quellskeletts",
    "Every asked for key in the range may change": "Jedes verlangte Schlüsselbild im Bereich darf sich ändern",
    "Every bone with a role": "Jeder Knochen mit einer Rolle",
    "Every key in the range stays exactly as it is": "Jedes Schlüsselbild im Bereich bleibt genau, wie es ist",
    "Everything in the range is made anew": "Alles im Bereich wird neu gemacht",
    "Face the way that the object faces": "Dorthin blicken, wohin das Objekt blickt",
    "Facing along the path": "Blick den Pfad entlang",
    "Facing any way": "Blick in beliebige Richtung",
    "Feet that stand on the source stand on the target": "Füße, die bei der Quelle stehen, stehen auch beim Ziel",
    "Few keys with Bezier handles, easy to edit, that keep the result within the tolerance":
        "Wenige Schlüsselbilder mit Bézier-Griffen, leicht zu bearbeiten, die das Ergebnis innerhalb der Toleranz "
        "halten",
    "Files that are shown": "Dateien, die gezeigt werden",
    "Fill the motion between key poses. Every key stays exactly as it is":
        "Die Bewegung zwischen Schlüsselposen füllen. Jedes Schlüsselbild bleibt genau, wie es ist",
    "Fill the motion between the keys of the active armature. Every key stays exactly as it is, and the result is a "
    "new Action":
        "Die Bewegung zwischen den Schlüsselbildern des aktiven Skeletts füllen. Jedes Schlüsselbild bleibt genau, "
        "wie es ist; das Ergebnis ist eine neue Aktion",
    "Fill what is missing of a captured motion. Every other bone and frame stays exactly as it is, and the result is "
    "a new Action":
        "Füllen, was einer aufgenommenen Bewegung fehlt. Alle anderen Knochen und Einzelbilder bleiben genau, wie "
        "sie sind; das Ergebnis ist eine neue Aktion",
    "Fill what is missing of a captured motion: some bones over some frames":
        "Füllen, was einer aufgenommenen Bewegung fehlt: einige Knochen über einige Einzelbilder",
    "First frame of the pin": "Erstes Einzelbild des Pins",
    "First frame of the range": "Erstes Einzelbild des Bereiches",
    "First frame of the range; the panel's if not given":
        "Erstes Einzelbild des Bereichs; sonst das des Bedienfelds",
    "First frame on the path": "Erstes Einzelbild auf dem Pfad",
    "Folder of the virtual environment that runs the backend. Empty: Limber's own data folder":
        "Ordner der virtuellen Umgebung, in der das Backend läuft. Leer: Limbers eigener Datenordner",
    "For Apple's processors": "Für Apples Prozessoren",
    "Forget the kept map and look again": "Die behaltene Zuordnung vergessen und neu nachsehen",
    "Frames from one ghost to the next": "Einzelbilder von einem Geist zum nächsten",
    "Frames over which a result that is accepted as an NLA strip fades in":
        "Einzelbilder, über die ein Ergebnis, das als NLA-Streifen akzeptiert wird, eingeblendet wird",
    "Frames over which a result that is accepted as an NLA strip fades out":
        "Einzelbilder, über die ein Ergebnis, das als NLA-Streifen akzeptiert wird, ausgeblendet wird",
    "Frames over which the strip fades in; the panel's if not given":
        "Einzelbilder, über die der Streifen eingeblendet wird; sonst die des Bedienfelds",
    "Frames over which the strip fades out; the panel's if not given":
        "Einzelbilder, über die der Streifen ausgeblendet wird; sonst die des Bedienfelds",
    "From the character's first key to its last": "Vom ersten Schlüsselbild der Figur bis zum letzten",
    "From the path's end to end over its frames, at one speed":
        "Von einem Ende des Pfads zum anderen über seine Einzelbilder, mit gleichbleibender Geschwindigkeit",
    "Give a role another bone, or none, and keep the map on the armature":
        "Einer Rolle einen anderen Knochen geben, oder keinen, und die Zuordnung am Skelett behalten",
    "Go back to the original Action and throw the results away":
        "Zur ursprünglichen Aktion zurückkehren und die Ergebnisse wegwerfen",
    "Go on after the last key, up to the range's end; all before stays as it is":
        "Nach dem letzten Schlüsselbild weitermachen, bis zum Ende des Bereichs; alles davor bleibt, wie es ist",
    "Go on from the pose at the range's first frame, which stays as it is":
        "Von der Pose am ersten Einzelbild des Bereichs aus weitermachen; sie bleibt, wie sie ist",
    "Generated motion begins to face away from the viewer, into the 3D view":
        "Erzeugte Bewegung blickt am Anfang vom Betrachter weg, in die 3D-Ansicht hinein",
    "Hands that rest on the body or on each other do so on the target":
        "Hände, die am Körper oder aneinander liegen, tun das auch beim Ziel",
    "Hands, feet, any joint and the hips go where pins, a path and waypoints say":
        "Hände, Füße, jedes Gelenk und die Hüfte gehen dorthin, wohin Pins, ein Pfad und Wegpunkte sie führen",
    "Have pins, a path and waypoints followed over the range. Keys that are kept stay exactly as they are, and the "
    "result is a new Action":
        "Pins, einem Pfad und Wegpunkten über den Bereich folgen lassen. Behaltene Schlüsselbilder bleiben genau, "
        "wie sie sind; das Ergebnis ist eine neue Aktion",
    "Heed this pin": "Diesen Pin beachten",
    "Hold the object where the bone is on it now, not at its origin":
        "Das Objekt dort halten, wo der Knochen jetzt an ihm ist, nicht an seinem Ursprung",
    "How far a bone's rotation between sparse keys may be from the result":
        "Wie weit die Rotation eines Knochens zwischen den wenigen Schlüsselbildern vom Ergebnis abweichen darf",
    "How far a bone's rotation between sparse keys may be from the result, in radians":
        "Wie weit die Rotation eines Knochens zwischen den wenigen Schlüsselbildern vom Ergebnis abweichen darf, in "
        "Radiant",
    "How far a joint or a location between sparse keys may be from the result, in millimetres":
        "Wie weit ein Gelenk oder eine Position zwischen den wenigen Schlüsselbildern vom Ergebnis abweichen darf, in "
        "Millimetern",
    "How far each pin and the path were met, measured on this result":
        "Wie gut jeder Pin und der Pfad getroffen wurden, an diesem Ergebnis gemessen",
    "How far the captured motion is trusted: the more, the less it changes":
        "Wie sehr der aufgenommenen Bewegung vertraut wird: je mehr, desto weniger ändert sie sich",
    "How fast it is walked": "Wie schnell er begangen wird",
    "How many ghosts are drawn before the current frame, and as many after it":
        "Wie viele Geister vor dem aktuellen Einzelbild gezeichnet werden, und ebenso viele danach",
    "How much of the model: 0 is plain interpolation (where motion is cleaned: as it was), 1 the model's result, more "
    "goes further the same way. Every key stays exactly as it is":
        "Wie viel vom Modell: 0 ist einfache Interpolation (wo Bewegung gesäubert wird: wie sie war), 1 das Ergebnis "
        "des Modells, mehr geht in derselben Richtung weiter. Jedes Schlüsselbild bleibt genau, wie es ist",
    "How many further; negative goes back": "Um wie viele weiter; negativ geht zurück",
    "How many keys a result is written with": "Mit wie vielen Schlüsselbildern ein Ergebnis geschrieben wird",
    "How many results one run brings": "Wie viele Ergebnisse ein Lauf bringt",
    "How many results the run brings": "Wie viele Ergebnisse der Lauf bringt",
    "How strongly a pin that is not hard draws": "Wie stark ein Pin zieht, der nicht hart ist",
    "Identifier of the slot in use": "Bezeichner des verwendeten Slots",
    "Its bone; empty for none": "Ihr Knochen; leer für keinen",
    "Keep the result that is shown as an NLA strip above the original Action, which stays as it was and "
    "plays before and after it; further results go unless they are marked to be kept":
        "Das gezeigte Ergebnis als NLA-Streifen über der ursprünglichen Aktion behalten, die bleibt, wie "
        "sie war, und davor und danach läuft; weitere Ergebnisse gehen, wenn sie nicht zum Behalten "
        "markiert sind",
    "Keep the result that is shown, and those marked to be kept too. The original Action stays in the file":
        "Das gezeigte Ergebnis behalten, und auch die dafür markierten. Die ursprüngliche Aktion bleibt in der Datei",
    "Largest difference between any kept key and the same key in the result, read back":
        "Größter Unterschied zwischen einem behaltenen Schlüsselbild und demselben im Ergebnis, zurückgelesen",
    "Last frame of the pin": "Letztes Einzelbild des Pins",
    "Last frame of the range": "Letztes Einzelbild des Bereichs",
    "Last frame of the range; the panel's if not given":
        "Letztes Einzelbild des Bereichs; sonst das des Bedienfelds",
    "Last frame on the path": "Letztes Einzelbild auf dem Pfad",
    "Lead back to the motion's first pose, which is the range's last frame: where it began, or as far on as it goes in "
    "a round if it is on its way at both ends":
        "Zur ersten Pose der Bewegung zurückführen, die das letzte Einzelbild des Bereichs ist: dorthin, wo sie "
        "begann, oder um eine Runde weiter, wenn sie an beiden Enden unterwegs ist",
    "Legs turn as the source's do, feet may slide": "Die Beine drehen sich wie die der Quelle, Füße dürfen rutschen",
    "Let the selected bones do something else over some frames":
        "Die ausgewählten Knochen über einige Einzelbilder etwas anderes tun lassen",
    "Let the selected bones do something else over the range. Every other bone and frame stays exactly as it is, and "
    "the result is a new Action":
        "Die ausgewählten Knochen über den Bereich etwas anderes tun lassen. Alle anderen Knochen und Einzelbilder "
        "bleiben genau, wie sie sind; das Ergebnis ist eine neue Aktion",
    "Licence of the bundle": "Lizenz des Modellpakets",
    "List the bones that a run will change, with their frames":
        "Die Knochen auflisten, die ein Lauf ändern wird, mit ihren Einzelbildern",
    "Load a map from JSON and keep it on the armature": "Eine Zuordnung aus JSON laden und am Skelett behalten",
    "Look at everything that Limber needs, and say what is wrong and what to do":
        "Alles ansehen, was Limber braucht, und sagen, was nicht stimmt und was zu tun ist",
    "Look up which bone plays which role, on both armatures":
        "Nachschlagen, welcher Knochen welche Rolle hat, an beiden Skeletten",
    "Make motion over the range that does what the prompt says; the result is a new Action":
        "Über den Bereich eine Bewegung machen, die tut, was der Prompt sagt; das Ergebnis ist eine neue Aktion",
    "Make motion that does what is said": "Eine Bewegung machen, die tut, was gesagt wird",
    "Make the Python environment that runs the backend, try it, and say how much that downloads first":
        "Die Python-Umgebung anlegen, in der das Backend läuft, sie ausprobieren, und vorher sagen, wie viel das "
        "herunterlädt",
    "Make the environment anew, whatever is there": "Die Umgebung neu anlegen, was auch immer da ist",
    "Make the last drawn annotation or Grease Pencil stroke a curve, and that the character's path":
        "Aus der zuletzt gezeichneten Anmerkung oder dem letzten Wachsstift-Strich eine Kurve machen, und daraus den "
        "Pfad der Figur",
    "Make this result once more from what is kept on its Action: the same model, keys and text, and the same seed or "
    "another one":
        "Dieses Ergebnis noch einmal machen, aus dem, was an seiner Aktion vermerkt ist: dasselbe Modell, dieselben "
        "Schlüsselbilder und Texte, derselbe Startwert oder ein anderer",
    "Met to the millimetre wherever the body reaches; otherwise it only draws":
        "Wird auf den Millimeter getroffen, wo der Körper hinreicht; sonst zieht er nur",
    "Metres a second along the path": "Meter pro Sekunde den Pfad entlang",
    "One more package index, for builds that the usual one does not hold":
        "Ein weiterer Paketindex, für Ausgaben, die der übliche nicht hat",
    "One of the 20 roles": "Eine der 20 Rollen",
    "Only the keyed poses are kept, exactly; everything between is made anew":
        "Nur die Posen mit Schlüsselbildern bleiben, und zwar genau; alles dazwischen wird neu gemacht",
    "Only the selected keys are poses to go through; the others in the range give way in the result":
        "Nur die ausgewählten Schlüsselbilder sind Posen, durch die es geht; die anderen im Bereich weichen im "
        "Ergebnis",
    "Over the whole range": "Über den ganzen Bereich",
    "Pin the selected bones to the other selected object (in Pose Mode of two armatures: to its active bone), for "
    "hands on what moves":
        "Die ausgewählten Knochen an das andere ausgewählte Objekt stecken (im Posenmodus zweier Skelette: an dessen "
        "aktiven Knochen), für Hände an etwas, das sich bewegt",
    "Pin the selected bones to the present motion over the range, frame by frame: what else is followed leaves them "
    "where they are":
        "Die ausgewählten Knochen über den Bereich an die jetzige Bewegung stecken, Einzelbild für Einzelbild: was "
        "sonst befolgt wird, lässt sie, wo sie sind",
    "Pin the selected bones to where they are now, in the world":
        "Die ausgewählten Knochen dort feststecken, wo sie jetzt in der Welt sind",
    "Pin the selected bones, each to an Empty of its own where it is now. Move or animate the Empties":
        "Die ausgewählten Knochen feststecken, jeden an ein eigenes Leer-Objekt dort, wo er jetzt ist. Die "
        "Leer-Objekte dann bewegen oder animieren",
    "Put the chosen pin at the 3D cursor; without one, pin the selected bone there":
        "Den gewählten Pin an den 3D-Cursor setzen; ohne Pin den ausgewählten Knochen dort feststecken",
    "Remove the chosen pin. Its Empty stays in the scene":
        "Den gewählten Pin entfernen. Sein Leer-Objekt bleibt in der Szene",
    "Remove the chosen waypoint. Its Empty stays in the scene":
        "Den gewählten Wegpunkt entfernen. Sein Leer-Objekt bleibt in der Szene",
    "Retarget the clips onto the active armature: a new Action each, the present one is kept":
        "Die Clips auf das aktive Skelett übertragen: je eine neue Aktion, die jetzige bleibt",
    "Return only when the clips are there (always so in background mode)":
        "Erst zurückkehren, wenn die Clips da sind (im Hintergrundmodus immer so)",
    "Return only when the result is there (always so in background mode)":
        "Erst zurückkehren, wenn das Ergebnis da ist (im Hintergrundmodus immer so)",
    "Roles, the bones of both armatures, and how sure the map is; a click changes a bone.":
        "Rollen, die Knochen beider Skelette und wie sicher die Zuordnung ist; ein Klick ändert einen Knochen.",
    "Save the map as JSON, for limber-blender retarget --map":
        "Die Zuordnung als JSON speichern, für limber-blender retarget --map",
    "Send a tiny request through the real backend, with the Python that is set":
        "Eine winzige Anfrage durch das echte Backend schicken, mit dem eingestellten Python",
    "Several gigabytes; for NVIDIA's graphics cards": "Mehrere Gigabyte; für Grafikkarten von NVIDIA",
    "Show the next result": "Das nächste Ergebnis zeigen",
    "Small; runs everywhere": "Klein; läuft überall",
    "Start the backend as soon as the Limber tab is looked at, so that the first run does not wait":
        "Das Backend starten, sobald der Limber-Reiter zu sehen ist, damit der erste Lauf nicht wartet",
    "Stick figures of a result that waits for a decision, at frames around the current one":
        "Strichfiguren eines Ergebnisses, über das noch zu entscheiden ist, an Einzelbildern rings um das "
        "aktuelle",
    "Stop the computation. Nothing is changed": "Die Berechnung anhalten. Nichts wird geändert",
    "System and bundle": "System und Modellpaket",
    "Take the present pose as the T-pose: for rigs whose rest pose is misread. Kept on the armature":
        "Die jetzige Pose als T-Pose nehmen: für Rigs, deren Ruhepose falsch gelesen wird. Wird am Skelett behalten",
    "Take the result's NLA strip off again and give the armature back the Action that it was made from":
        "Den NLA-Streifen des Ergebnisses wieder entfernen und dem Skelett die Aktion zurückgeben, aus der "
        "es gemacht wurde",
    "Take the way over the ground out": "Den Weg über den Boden herausnehmen",
    "That backend's certificate, where the system does not trust it by itself":
        "Das Zertifikat jenes Backends, falls das System ihm nicht von selbst vertraut",
    "The Action that the results were made from": "Die Aktion, aus der die Ergebnisse gemacht wurden",
    "The Python that runs the backend (its environment holds torch). Empty: LIMBER_PYTHON, then the environment below":
        "Das Python, mit dem das Backend läuft (seine Umgebung enthält torch). Leer: LIMBER_PYTHON, dann die Umgebung "
        "darunter",
    "The active armature": "Das aktive Skelett",
    "The armature object carries it": "Das Skelettobjekt trägt ihn",
    "The bundle: a folder with model.safetensors": "Das Modellpaket: ein Ordner mit model.safetensors",
    "The chosen pin": "Der gewählte Pin",
    "The chosen waypoint": "Der gewählte Wegpunkt",
    "The hips carry the way over the ground": "Die Hüfte trägt den Weg über den Boden",
    "The model beside plain interpolation, measured on this result":
        "Das Modell neben einfacher Interpolation, an diesem Ergebnis gemessen",
    "The object that the bone is pinned to": "Das Objekt, an das der Knochen gesteckt ist",
    "The pins": "Die Pins",
    "The place in the world": "Der Ort in der Welt",
    "The present motion is changed, as far as it has to be": "Die jetzige Bewegung wird geändert, so weit es sein muss",
    "The result has a key on every frame, exactly as it was computed":
        "Das Ergebnis hat auf jedem Einzelbild ein Schlüsselbild, genau wie berechnet",
    "The result itself": "Das Ergebnis selbst",
    "The same keys with the same seed give the same motion":
        "Dieselben Schlüsselbilder mit demselben Startwert geben dieselbe Bewegung",
    "The scene's frame range, or the preview range where it is set":
        "Der Bereich der Szene, oder der Vorschaubereich, wo er gesetzt ist",
    "The selected bones are missing over the whole range, whatever their keys say":
        "Die ausgewählten Knochen fehlen über den ganzen Bereich, was auch immer ihre Schlüsselbilder sagen",
    "The selected bones; all others stay exactly as they are":
        "Die ausgewählten Knochen; alle anderen bleiben genau, wie sie sind",
    "The selected keys stay exactly as they are, and the motion goes through them":
        "Die ausgewählten Schlüsselbilder bleiben genau, wie sie sind, und die Bewegung geht durch sie hindurch",
    "The source armature": "Das Quellskelett",
    "The source armature's Action": "Die Aktion des Quellskeletts",
    "The timeline's markers are the prompts, each from its frame to the next marker":
        "Die Marker der Zeitleiste sind die Prompts, jeder von seinem Einzelbild bis zum nächsten Marker",
    "The token of that backend": "Das Token jenes Backends",
    "The topmost bone above the hips carries it": "Der oberste Knochen über der Hüfte trägt ihn",
    "The two frames below": "Die beiden Einzelbilder darunter",
    "The waypoints": "Die Wegpunkte",
    "Trained weights by name; empty takes the default": "Trainierte Gewichte nach Namen; leer nimmt die Vorgabe",
    "Use a backend that runs on another computer. Your keys are sent there":
        "Ein Backend verwenden, das auf einem anderen Rechner läuft. Deine Schlüsselbilder werden dorthin geschickt",
    "Walk the path over these frames, not the whole range":
        "Den Pfad über diese Einzelbilder gehen, nicht über den ganzen Bereich",
    "What Limber can do to the active armature, with the panel's settings.":
        "Was Limber mit dem aktiven Skelett tun kann, mit den Einstellungen des Bedienfelds.",
    "What becomes of hands that touch": "Was aus Händen wird, die etwas berühren",
    "What becomes of standing feet": "Was aus stehenden Füßen wird",
    "What carries the way over the ground": "Was den Weg über den Boden trägt",
    "What is done to the motion": "Was mit der Bewegung geschieht",
    "What is done, in English; several prompts, separated by semicolons, share the range":
        "Was getan wird, auf Englisch; mehrere Prompts, durch Semikolons getrennt, teilen sich den Bereich",
    "What is drawn in the viewport and the dope sheet before a run and while its result waits for a "
    "decision.":
        "Was im Viewport und im DopeSheet gezeichnet wird, vor einem Lauf und solange über sein Ergebnis "
        "noch zu entscheiden ist.",
    "What is filled in": "Was gefüllt wird",
    "What is pressed most, around the pointer: decisions to the sides, tasks above and below.":
        "Was am meisten gedrückt wird, rings um den Zeiger: Entscheidungen seitlich, Aufgaben oben und unten.",
    "What is rarely changed: system, bundle, seed; and making a result again.":
        "Was selten geändert wird: System, Modellpaket, Startwert; und ein Ergebnis noch einmal machen.",
    "What of the present motion is kept": "Was von der jetzigen Bewegung behalten wird",
    "What the bone is pinned to": "Woran der Knochen gesteckt ist",
    "What the last run brought": "Was der letzte Lauf gebracht hat",
    "What this computer can use, as far as there is a list for it":
        "Was dieser Rechner verwenden kann, soweit es eine Liste dafür gibt",
    "What to know about this result": "Was man über dieses Ergebnis wissen sollte",
    "When the character is there": "Wann die Figur dort ist",
    "When the pin holds": "Wann der Pin gilt",
    "Where a bone with a key on nearly every frame has none for a while":
        "Wo ein Knochen mit einem Schlüsselbild auf fast jedem Einzelbild eine Weile keines hat",
    "Where generated motion begins": "Wo die erzeugte Bewegung beginnt",
    "Where it is; the front, as everywhere in Blender, is -Y": "Wo sie ist; vorn ist, wie überall in Blender, -Y",
    "Where the motion comes from": "Woher die Bewegung kommt",
    "Where the motion comes from, how it is retargeted, the button.":
        "Woher die Bewegung kommt, wie sie übertragen wird, der Knopf.",
    "Where the present motion has it, frame by frame":
        "Wo ihn die jetzige Bewegung hat, Einzelbild für Einzelbild",
    "Where the selected bones go in a result that waits for a decision, a dot for every frame; hips, hands "
    "and feet where none is selected":
        "Wohin die ausgewählten Knochen in einem Ergebnis gehen, über das noch zu entscheiden ist, ein "
        "Punkt für jedes Einzelbild; Hüfte, Hände und Füße, wo keiner ausgewählt ist",
    "Whether the original was kept without a user before the run":
        "Ob das Original vor dem Lauf auch ohne Benutzer behalten wurde",
    "Which armature": "Welches Skelett",
    "Which bones are cleaned": "Welche Knochen gesäubert werden",
    "Which build of torch is installed": "Welche Ausgabe von torch installiert wird",
    "Which frames are filled": "Welche Einzelbilder gefüllt werden",
    "Which keys among what is asked for stay as they are":
        "Welche der betroffenen Schlüsselbilder bleiben, wie sie sind",
    "Which keys the motion goes through": "Durch welche Schlüsselbilder die Bewegung geht",
    "Which of the added bundles": "Welches der hinzugefügten Modellpakete",
    "Which result is shown": "Welches Ergebnis gezeigt wird",
    "Which system fills the motion; auto takes the best one":
        "Welches System die Bewegung füllt; auto nimmt das beste",
    "Which way generated motion begins to face, to the left of the front view":
        "Wohin die erzeugte Bewegung anfangs blickt, von der Vorderansicht aus nach links",
    "Which way the character faces on the path": "Wohin die Figur auf dem Pfad blickt",
    "While the Limber tab is open, tint the bones that a run will change, and mark its frames and the keys "
    "that stay in the dope sheet":
        "Solange der Limber-Reiter offen ist, die Knochen einfärben, die ein Lauf ändern wird, und im "
        "DopeSheet seine Einzelbilder und die bleibenden Schlüsselbilder markieren",
    "With the seed after the one that made this result":
        "Mit dem Startwert nach dem, der dieses Ergebnis gemacht hat",
    "https://computer:port, or localhost:port for the near end of an SSH tunnel":
        "https://rechner:port, oder localhost:port für das nahe Ende eines SSH-Tunnels",
}  # fmt: skip
